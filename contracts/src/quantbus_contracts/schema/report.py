"""What became of rows that were written: counts, and each refused row with its reason."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["CandleReport", "PublishReport", "Rejection"]


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused row: where it stood in the input, which field, what was found, and why."""

    row: int
    field: str
    value: str
    reason: str


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
    """What became of a published batch.

    ``unknown`` rows were neither confirmed nor refused (the connection broke and re-reading failed):
    publish the same batch again, which is always safe.
    """

    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    stale: int = 0
    unknown: int = 0
    rejections: tuple[Rejection, ...] = field(default=())

    @property
    def rejected(self) -> int:
        """How many rows were refused."""
        return len(self.rejections)

    @property
    def ok(self) -> bool:
        """Whether every row now stands on the bus as given."""
        return not (self.rejections or self.stale or self.unknown)

    def as_dict(self) -> dict[str, Any]:
        """Return counts and rejections as plain values, ready for JSON."""
        return {
            "inserted": self.inserted,
            "revised": self.revised,
            "unchanged": self.unchanged,
            "stale": self.stale,
            "unknown": self.unknown,
            "rejected": self.rejected,
            "rejections": [
                {"row": item.row, "field": item.field, "value": item.value, "reason": item.reason}
                for item in self.rejections
            ],
        }
