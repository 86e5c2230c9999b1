"""Who trades an account: one bot at a time, for as long as it keeps saying so."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Identifier, UtcMoment

__all__ = ["Lease", "LeaseBid"]

_Token = Annotated[str, Field(min_length=1, max_length=64)]
_Host = Annotated[str, Field(min_length=1, max_length=128)]


class LeaseBid(Document):
    """What a bot says when it asks for an account, or to go on with it."""

    account: Identifier
    consumer_id: Identifier
    holder: _Token
    """Which claims file it keeps: a bot that starts again with the same file takes over from itself."""
    process: _Token
    """Which run of the bot it is, made up anew at each start."""
    host: _Host
    seconds: Annotated[float, Field(gt=0, le=3_600)]
    """For how long it asks."""


class Lease(Document):
    """Who trades an account, and until when; times are the database's clock."""

    account: Identifier
    consumer_id: Identifier
    holder: _Token
    process: _Token
    host: _Host
    taken_at: UtcMoment
    renewed_at: UtcMoment
    expires_at: UtcMoment

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.taken_at <= self.renewed_at <= self.expires_at:
            raise ValueError("expected taken_at <= renewed_at <= expires_at, found another order")
        return self

    def is_held_by(self, bid: LeaseBid) -> bool:
        """Tell whether this run of the bot holds it."""
        return (self.holder, self.process) == (bid.holder, bid.process)
