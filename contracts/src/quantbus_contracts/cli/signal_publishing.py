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


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of the rows of a file: counts by outcome, and each row to mend with its place."""

    counts: Mapping[str, int]
    refused: Sequence[tuple[InputRow, "Rejection"]]
    unsettled: Sequence[tuple[InputRow, "Rejection"]] = ()
    """Stale and unknown rows."""
    notes: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Whether every row stands on the bus as given (or would)."""
        return not (self.refused or self.unsettled)

    def as_dict(self) -> dict[str, Any]:
        """Return counts and what is to be mended as plain values, ready for JSON."""
        return {
            **self.counts,
            "rejections": [_plain(row, item) for row, item in self.refused],
            "unsettled": [_plain(row, item) for row, item in self.unsettled],
            "notes": list(self.notes),
        }


def _plain(row: InputRow, item: "Rejection") -> dict[str, str]:
    return {"place": row.place, "field": item.field, "value": item.value, "reason": row.fault or item.reason}


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
    return FileReport(
        report.counts,
        [(rows[item.row], item) for item in report.rejections],
        [(rows[item.row], item) for item in report.unsettled],
        report.notes,
    )


def checked(rows: Sequence[InputRow], given: "Given") -> FileReport:
    """Check rows on their own, without a bus: which of them the contract refuses."""
    from quantbus_contracts.bus.rows import check_rows

    found = check_rows([row.row for row in rows], given, {})
    refused = [(rows[item.row], item) for item in found.rejections]
    return FileReport({"valid": len(found.signals), "rejected": len(refused)}, refused)


def print_report(console: Console, told: FileReport) -> None:
    """Print the counts in one line, then what is to be mended."""
    parts = [f"{number:,} {name}" for name, number in told.counts.items() if number]
    console.print(", ".join(parts) or "no rows", highlight=False)
    for note in told.notes:
        console.print(f"  {escape(note)}", highlight=False)
    rows = [*told.refused, *told.unsettled]
    if not rows:
        return
    table = Table("where", "field", "found", "why", box=None)
    for row, item in rows[:_SHOWN]:
        table.add_row(row.place, item.field, escape(item.value[:80]), escape(row.fault or item.reason))
    console.print(table)
    if len(rows) > _SHOWN:
        console.print(f"… and {len(rows) - _SHOWN:,} more (--json tells all)")
