"""Publishing and checking the rows of a file, with a report that names places in the file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.cli.signal_files import InputRow

if TYPE_CHECKING:
    from quantbus_contracts.bus import SignalBus
    from quantbus_contracts.bus.rows import Given
    from quantbus_contracts.schema import Origin, Rejection

__all__ = ["FileReport", "checked", "print_report", "published"]

_SHOWN = 20
_COUNTS = ("inserted", "revised", "unchanged", "stale", "unknown")


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of the rows of a file: counts by outcome, and each refused row with its place."""

    counts: Mapping[str, int]
    refused: Sequence[tuple[InputRow, "Rejection"]]

    @property
    def ok(self) -> bool:
        """Whether every row stands on the bus as given (or would)."""
        return not (self.refused or self.counts.get("stale") or self.counts.get("unknown"))

    def as_dict(self) -> dict[str, Any]:
        """Return counts and refusals as plain values, ready for JSON."""
        rejections = [
            {"place": row.place, "field": item.field, "value": item.value, "reason": row.fault or item.reason}
            for row, item in self.refused
        ]
        return {**self.counts, "rejected": len(rejections), "rejections": rejections}


def published(bus: "SignalBus", rows: Sequence[InputRow], given: "Given", *, dry_run: bool) -> FileReport:
    """Publish all rows.

    Raises
    ------
    BusUnavailable
        If the bus could not be read at all: then nothing was written.
    """
    origin: Origin | None = given.origin  # type: ignore[assignment]  # the option's choices are the origins
    with Console(stderr=True).status(f"publishing {len(rows):,} rows"):
        report = bus.publish(
            [row.row for row in rows],  # type: ignore[misc]  # what is no mapping is refused, which is wanted
            strategy_id=given.strategy_id,
            timeframe=given.timeframe,
            venue=given.venue,
            origin=origin,
            dry_run=dry_run,
        )
    counts = {name: int(getattr(report, name)) for name in _COUNTS}
    return FileReport(counts, [(rows[item.row], item) for item in report.rejections])


def checked(rows: Sequence[InputRow], given: "Given") -> FileReport:
    """Check rows on their own, without a bus: which of them the contract refuses."""
    from quantbus_contracts.bus.rows import check_rows

    found = check_rows([row.row for row in rows], given, {})
    return FileReport({"valid": len(found.signals)}, [(rows[item.row], item) for item in found.rejections])


def print_report(console: Console, told: FileReport) -> None:
    """Print the counts in one line, then the refused rows."""
    counts = {**told.counts, "refused": len(told.refused)}
    parts = [f"{number:,} {name}" for name, number in counts.items() if number]
    console.print(", ".join(parts) or "no rows", highlight=False)
    if not told.refused:
        return
    table = Table("where", "field", "found", "why", box=None)
    for row, item in told.refused[:_SHOWN]:
        table.add_row(row.place, item.field, escape(item.value[:80]), escape(row.fault or item.reason))
    console.print(table)
    if len(told.refused) > _SHOWN:
        console.print(f"… and {len(told.refused) - _SHOWN:,} more (--json tells all)")
