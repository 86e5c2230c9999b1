"""What became of a published batch, as clients are told; and of rows on their way through our own checks."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from quantbus_contracts.schema import PublishReport, Rejection

__all__ = ["RejectedRow", "Report", "report_of"]


class RejectedRow(BaseModel):
    """One refused row: where it stood in the request, which field, what was found, and why."""

    row: Annotated[int, Field(ge=0)]
    field: str
    value: str
    reason: str


class Report(BaseModel):
    """What became of the rows of one request."""

    inserted: Annotated[int, Field(ge=0)]
    revised: Annotated[int, Field(ge=0)]
    unchanged: Annotated[int, Field(ge=0)]
    stale: Annotated[int, Field(ge=0)]
    unknown: Annotated[int, Field(ge=0)]
    rejected: Annotated[int, Field(ge=0)]
    rejections: list[RejectedRow]

    @property
    def standing(self) -> int:
        """How many rows stand on the bus as given."""
        return self.inserted + self.revised + self.unchanged

    @property
    def ok(self) -> bool:
        """Whether every row does."""
        return not (self.stale or self.unknown or self.rejected)


def report_of(published: PublishReport, positions: Sequence[int], refused: Sequence[Rejection]) -> Report:
    """Join what the bus said of the rows at ``positions`` of the request with what was refused before."""
    rejections = [
        RejectedRow(row=positions[item.row], field=item.field, value=item.value, reason=item.reason)
        for item in published.rejections
    ]
    rejections += [
        RejectedRow(row=item.row, field=item.field, value=item.value, reason=item.reason) for item in refused
    ]
    return Report(
        inserted=published.inserted,
        revised=published.revised,
        unchanged=published.unchanged,
        stale=published.stale,
        unknown=published.unknown,
        rejected=len(rejections),
        rejections=sorted(rejections, key=lambda item: item.row),
    )
