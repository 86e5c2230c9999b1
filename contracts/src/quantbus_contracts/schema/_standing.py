"""What controls and judgements of risk share: somebody set them, with a reason, from one time to another."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from quantbus_contracts.schema._base import Document, UtcMoment

__all__ = ["Standing"]


class Standing(Document):
    """A row that counts until it expires; ``at`` and ``expires_at`` are the database's clock."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    at: UtcMoment
    expires_at: UtcMoment | None = None
    by: Annotated[str, Field(min_length=1, max_length=128)]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.expires_at is not None and self.expires_at < self.at:
            raise ValueError(
                f"expires_at: expected a time not before {self.at.isoformat()}, "
                f"found {self.expires_at.isoformat()}"
            )
        return self

    def is_active(self, now: datetime) -> bool:
        """Tell whether it counts at ``now`` (the database's clock)."""
        return self.expires_at is None or self.expires_at > now
