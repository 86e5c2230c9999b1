"""What a monitor found, since when, and what a person has said about it."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from quantbus_contracts.schema._base import Document, UtcMoment
from quantbus_contracts.schema.control import Scope

__all__ = ["FindingEpisode", "RecordedFinding", "Sighting", "finding_id"]

_Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
_Subject = Annotated[str, Field(min_length=1, max_length=256)]
_Text = Annotated[str, Field(min_length=1, max_length=2_000)]
_Evidence = Annotated[str, Field(max_length=256)]
_Person = Annotated[str, Field(min_length=1, max_length=128)]
_Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


def finding_id(check: str, kind: str, subject: str) -> str:
    """Return the short name under which people speak of a finding; the same each time it comes back."""
    return hashlib.sha256("|".join((check, kind, subject)).encode()).hexdigest()[:12]


class Sighting(Document):
    """One thing that a check finds wrong now."""

    check: _Word
    kind: _Word
    subject: _Subject
    severity: Literal["critical", "warning"]
    message: _Text
    action: _Text
    evidence: _Evidence = ""
    """What an acknowledgement is about, without what moves by itself: with other evidence it counts no more."""
    blocks: Scope | None = None
    """Where no new entries are to be made until it is explained or acknowledged."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same finding again: check, kind and subject."""
        return self.check, self.kind, self.subject


class FindingEpisode(Document):
    """One time, now over, that a finding stood."""

    first_seen: UtcMoment
    resolved_at: UtcMoment
    message: _Text
    acknowledged_by: _Person | None = None
    acknowledged_reason: _Reason | None = None


class RecordedFinding(Sighting):
    """A finding as it stands on the bus; every time is the database's clock."""

    finding_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")]
    episode: Annotated[int, Field(ge=1)]
    """How often it has come up."""
    first_seen: UtcMoment
    last_seen: UtcMoment
    resolved_at: UtcMoment | None = None
    acknowledged_at: UtcMoment | None = None
    acknowledged_by: _Person | None = None
    acknowledged_reason: _Reason | None = None
    acknowledged_until: UtcMoment | None = None
    acknowledged_evidence: _Evidence | None = None
    past: tuple[FindingEpisode, ...] = ()
    """Earlier times that it stood, the newest last; bounded."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.last_seen < self.first_seen:
            raise ValueError("expected first_seen <= last_seen, found another order")
        return self

    @property
    def is_open(self) -> bool:
        """Whether it stands."""
        return self.resolved_at is None

    def is_acknowledged(self, now: datetime) -> bool:
        """Tell whether a person has taken it on: for the evidence that there is now, and for the time at ``now``."""
        return (
            self.acknowledged_at is not None
            and self.acknowledged_evidence == self.evidence
            and (self.acknowledged_until is None or self.acknowledged_until > now)
        )
