"""A key of the HTTP gateway as it is stored: what it may do, and a hash of its secret; never the secret."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantbus_contracts.schema._base import Document, Identifier, UtcMoment

__all__ = ["ApiKey", "KeyKind", "Scope"]

Scope = Literal["read", "write", "admin"]
KeyKind = Literal["api", "hook"]


class ApiKey(Document):
    """One key. ``kind`` ``api`` travels in a header, ``hook`` in the body of an alert."""

    key_id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    """Public; the prefix by which the key is looked up, and how it is named in lists and in ``published_by``."""
    kind: KeyKind = "api"
    name: Identifier
    secret_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    """SHA-256 of the 256-bit random secret: it cannot be guessed, so a slow hash would add nothing."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=3)]
    strategies: Annotated[tuple[Identifier, ...], Field(max_length=1_000)] = ()
    """The strategies it may see and publish for; empty means all."""
    created_at: UtcMoment
    expires_at: UtcMoment | None = None
    revoked_at: UtcMoment | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.scopes)) < len(self.scopes):
            raise ValueError(f"scopes: expected each once, found {self.scopes!r}")
        if self.kind == "hook" and (self.scopes != ("write",) or not self.strategies):
            raise ValueError(
                "a hook's token stands in somebody else's settings: expected the scope write alone and at "
                f"least one strategy, found scopes {self.scopes!r} and strategies {self.strategies!r}"
            )
        if self.expires_at is not None and self.expires_at <= self.created_at:
            raise ValueError(f"expires_at: expected a time after {self.created_at.isoformat()}")
        return self

    def permits(self, scope: Scope) -> bool:
        """Tell whether the key has ``scope``; admin includes the others."""
        return scope in self.scopes or "admin" in self.scopes

    def covers(self, strategy_id: str) -> bool:
        """Tell whether the key may deal with this strategy."""
        return not self.strategies or strategy_id in self.strategies

    def fault(self, now: datetime) -> Literal["expired", "revoked"] | None:
        """Return why the key is no longer good; None while it is."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else None
