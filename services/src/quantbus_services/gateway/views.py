"""Signals as clients see them."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, Field

from quantbus_contracts.schema import Execution, PublishedSignal, Revision, Signal

__all__ = ["SignalDetail", "SignalList", "SignalView"]


class SignalView(BaseModel):
    """A signal as given, and what the bus set."""

    signal_id: str
    signal: Signal
    version: Annotated[int, Field(ge=1)]
    available_at: datetime
    """The bus's clock at the write of this version."""
    valid_until: datetime
    published_by: str

    @classmethod
    def of(cls, published: PublishedSignal) -> Self:
        """Return what is shown of ``published``."""
        return cls(
            signal_id=published.signal_id,
            signal=published.signal,
            version=published.version,
            available_at=published.available_at,
            valid_until=published.valid_until,
            published_by=published.published_by,
        )


class SignalList(BaseModel):
    """One page."""

    signals: list[SignalView]
    next_cursor: str | None = None
    """Continues after this page; absent on the last."""


class SignalDetail(SignalView):
    """The whole life of one signal: earlier versions, oldest first, and what each bot did with it."""

    history: list[Revision] = []
    executions: list[Execution] = []
