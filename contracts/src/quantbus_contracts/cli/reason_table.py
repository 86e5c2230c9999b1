"""``quantbus signals reasons``: every reason of the ledger, on a screen and as the table of the documentation."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from quantbus_contracts.policy import Reason

__all__ = ["print_reasons", "reasons_markdown"]


def reasons_markdown() -> str:
    """Return the closed list as a table in Markdown; the documentation holds exactly this."""
    lines = ["| reason | meaning | what to do |", "|---|---|---|"]
    lines += [f"| `{reason.value}` | {reason.meaning} | {reason.remedy or '–'} |" for reason in Reason]
    return "\n".join(lines)


def print_reasons(console: Console, reasons: Iterable[Reason]) -> None:
    """Print reasons with what they mean and what to do."""
    table = Table("reason", "meaning", "what to do", box=None, padding=(0, 2, 0, 0))
    for reason in reasons:
        table.add_row(f"[bold]{reason.value}[/]", reason.meaning, reason.remedy or "[dim]–[/]")
    console.print(table)
