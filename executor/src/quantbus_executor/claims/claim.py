"""A claim: written down, and flushed to the disk, before an order is sent because of a signal."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from quantbus_contracts.policy import PositionSide
from quantbus_executor.trades.tags import entry_tag, resize_tag

__all__ = ["MOST_ATTEMPTS", "Claim", "ClaimState", "Wish"]

MOST_ATTEMPTS = 3
"""How often a signal may be claimed: again only once it is sure that the time before left no order."""


class ClaimState(StrEnum):
    """What became of a claim. Only `OPEN` is not known yet; only `RELEASED` may be claimed again."""

    OPEN = "open"
    """An order may be at the venue."""
    PLACED = "placed"
    """A trade of Freqtrade carries the order."""
    UNFILLED = "unfilled"
    """The venue had the order, and ended it without a fill."""
    RELEASED = "released"
    """There surely is no order."""
    UNKNOWN = "unknown"
    """It could not be found out; a person has to look, and to say so by `quantbus executor settle`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An order that is about to be sent because of a signal. ``amount`` in base currency, as the venue will see it."""

    signal_id: str
    version: int
    pair: str
    side: PositionSide
    amount: float
    rate: float
    leverage: float = 1.0
    trade_id: int | None = None
    """The trade that is increased; None for an entry."""

    @property
    def key(self) -> str:
        """What may happen once: a signal's entry, and the increase by each of its revisions."""
        return self.signal_id if self.trade_id is None else f"{self.signal_id}:{self.version}"

    @property
    def tag(self) -> str:
        """The tag of the order in Freqtrade's database."""
        if self.trade_id is None:
            return entry_tag(self.signal_id)
        return resize_tag(self.signal_id, self.version)

    @property
    def buying(self) -> bool:
        """Whether the order buys."""
        return self.side == "long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A wish that was claimed, and what is known of it."""

    wish: Wish
    state: ClaimState
    attempts: int
    process: str
    """Which run of the bot claimed it."""
    claimed_at: datetime
    settled_at: datetime | None = None
    order_id: str | None = None
    note: str | None = None
    told: bool = False
    """Whether the ledger knows what became of it."""

    @property
    def blocks(self) -> bool:
        """Whether its pair must wait: an order of it may stand somewhere unaccounted for."""
        return self.state in (ClaimState.OPEN, ClaimState.UNKNOWN)
