"""``quantbus monitor report``: what happened on a day."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from datetime import date

__all__ = ["report"]


def report(
    day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Which day of UTC. [the day before today]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for quantbus-DAY.html and quantbus-DAY.md; made if need be.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Tell what happened on a day: signals and what became of them, delays, money, data, findings, open questions.

    Prints Markdown, unless it is written to a folder.

    \b
    Examples:
      quantbus monitor report --day 2026-01-05 --out reports
      quantbus monitor report | mail -s "quantbus yesterday" ops@example.org
    """
    import asyncio

    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_services.monitor.daily import make_report, markdown_of, page_of
    from quantbus_services.monitor.settings import MonitorSettings

    chosen = _day(day)
    made = asyncio.run(make_report(load_settings(MonitorSettings), load_settings(MongoSettings), chosen))
    if out is not None:
        written = [
            _write(out / f"quantbus-{made.day}.html", page_of(made)),
            _write(out / f"quantbus-{made.day}.md", markdown_of(made)),
        ]
        told = " and ".join(escape(str(path)) for path in written)
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"wrote {told}")
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
    elif out is None:
        typer.echo(markdown_of(made), nl=False)


def _day(text: str | None) -> "date | None":
    from datetime import date

    from quantbus_contracts.errors import ConfigError

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--day: expected a day such as 2026-01-05, found {text!r}") from None


def _write(path: Path, text: str) -> Path:
    """Write a file whole: whoever reads it meanwhile has the one before."""
    from quantbus_contracts.errors import ConfigError

    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"--out: expected a folder that can be written to, found {error}") from None
    return path
