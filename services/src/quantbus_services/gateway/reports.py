"""What became of a published batch, as clients are told: the bus's own report, in rows of the request."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from quantbus_contracts.schema import PublishReport, Rejection

__all__ = ["Report", "RowFault", "report_of"]

Count = Annotated[int, Field(ge=0)]


class RowFault(BaseModel):
    """One row that does not stand: where it was in the request, which field, what was found, and why."""

    row: Count
    field: str
    value: str
    reason: str


class Report(BaseModel):
    """What became of the rows of one request; with `dry_run`, what would."""

    inserted: Count
    revised: Count
    unchanged: Count
    stale: Count
    unknown: Count
    rejected: Count
    rejections: list[RowFault]
    unsettled: list[RowFault]
    """The stale and the unknown rows."""
    signal_ids: list[str | None]
    """The id of each row, in order; null for a row that is no signal."""
    notes: list[str]
    dry_run: bool

    @property
    def standing(self) -> int:
        """How many rows stand on the bus as given."""
        return self.inserted + self.revised + self.unchanged

    @property
    def ok(self) -> bool:
        """Whether every row does."""
        return not (self.stale or self.unknown or self.rejected)


def report_of(
    published: PublishReport,
    positions: Sequence[int],
    refused: Sequence[Rejection],
    *,
    notes: Sequence[str] = (),
) -> Report:
    """Join what the bus said of the rows at ``positions`` of the request with what was refused before."""
    signal_ids: list[str | None] = [None] * (len(positions) + len(refused))
    for position, signal_id in zip(positions, published.signal_ids, strict=False):
        signal_ids[position] = signal_id
    rejections = [_fault(item, positions[item.row]) for item in published.rejections]
    rejections += [_fault(item, item.row) for item in refused]
    return Report(
        inserted=published.inserted,
        revised=published.revised,
        unchanged=published.unchanged,
        stale=published.stale,
        unknown=published.unknown,
        rejected=len(rejections),
        rejections=sorted(rejections, key=lambda fault: fault.row),
        unsettled=[_fault(item, positions[item.row]) for item in published.unsettled],
        signal_ids=signal_ids,
        notes=[*published.notes, *notes],
        dry_run=published.dry_run,
    )


def _fault(item: Rejection, row: int) -> RowFault:
    return RowFault(row=row, field=item.field, value=item.value, reason=item.reason)
