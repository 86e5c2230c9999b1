"""What became of rows that were written: counts, and each refused row with its reason."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["CandleReport", "PublishReport", "Rejection"]

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that does not stand as given: its place in the input, the field, what was found, and why."""

    row: int
    field: str
    value: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"row": self.row, "field": self.field, "value": self.value, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class CandleReport:
    """Totals of a candle write. ``updated`` counts bars whose values a later fetch corrected."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0

    def __add__(self, other: "CandleReport") -> "CandleReport":
        return CandleReport(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )

    @property
    def total(self) -> int:
        """How many rows were looked at."""
        return self.inserted + self.updated + self.unchanged + self.rejected

    def as_dict(self) -> dict[str, int]:
        """Return the totals under their public names."""
        return {
            "inserted": self.inserted,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": self.rejected,
        }


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What became of a published batch; of a dry run, what would become of it.

    ``unknown`` rows were neither confirmed nor refused (the connection broke and re-reading failed):
    publish the same batch again, which is always safe.
    """

    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    stale: int = 0
    unknown: int = 0
    rejections: tuple[Rejection, ...] = ()
    unsettled: tuple[Rejection, ...] = ()
    """The stale and the unknown rows, with the reason."""
    signal_ids: tuple[str | None, ...] = ()
    """The id of each row of the input, in order; None for a row that is no signal."""
    notes: tuple[str, ...] = ()
    """What else the publisher should know: a strategy that was declared by this batch."""
    dry_run: bool = False

    @property
    def rejected(self) -> int:
        """How many rows were refused."""
        return len(self.rejections)

    @property
    def total(self) -> int:
        """How many rows were given."""
        return (
            self.inserted + self.revised + self.unchanged + self.stale + self.unknown + len(self.rejections)
        )

    @property
    def ok(self) -> bool:
        """Whether every row now stands on the bus as given."""
        return not (self.rejections or self.stale or self.unknown)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows ended in which way."""
        return {
            "inserted": self.inserted,
            "revised": self.revised,
            "unchanged": self.unchanged,
            "stale": self.stale,
            "unknown": self.unknown,
            "rejected": self.rejected,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return counts, rejections and notes as plain values, ready for JSON."""
        return {
            **self.counts,
            "rejections": [item.as_dict() for item in self.rejections],
            "unsettled": [item.as_dict() for item in self.unsettled],
            "notes": list(self.notes),
            "dry_run": self.dry_run,
        }

    def to_json(self) -> str:
        """Return the report as one JSON document."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def _heading(self) -> str:
        told = [f"{count} {name}" for name, count in self.counts.items() if count] or ["no rows"]
        return ("dry run, nothing was written: " if self.dry_run else "") + ", ".join(told)

    def __str__(self) -> str:
        lines = [self._heading()]
        lines += [f"  note: {note}" for note in self.notes]
        rows = (*self.rejections, *self.unsettled)
        lines += [
            f"  row {item.row}: {item.field + ': ' if item.field else ''}{item.reason} (found {item.value})"
            for item in rows[:_SHOWN]
        ]
        if len(rows) > _SHOWN:
            lines.append(f"  … and {len(rows) - _SHOWN} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the report as notebooks show it; everything that came from outside is escaped."""
        rows = (*self.rejections, *self.unsettled)
        parts = [f"<p><b>{escape(self._heading())}</b></p>"]
        parts += [f"<p>{escape(note)}</p>" for note in self.notes]
        if rows:
            shown = ((str(item.row), item.field, item.value, item.reason) for item in rows[:_SHOWN])
            parts.append(_html_table(("row", "field", "value", "reason"), shown))
        if len(rows) > _SHOWN:
            parts.append(f"<p>… and {len(rows) - _SHOWN} more</p>")
        return "".join(parts)


def _html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an HTML table of texts, each of them escaped."""
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
