"""What Freqtrade itself asks of an entry before it comes to the strategy, as a protocol; plain fakes satisfy it too."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from quantbus_contracts.policy import PositionSide, Reason

__all__ = ["HouseRules", "Wallet", "house_refusal"]


class Wallet(Protocol):
    """What the bot has of one currency, as Freqtrade counts it."""

    @property
    def free(self) -> float:
        """What is not tied up."""
        ...

    @property
    def total(self) -> float:
        """All of it."""
        ...


class HouseRules(Protocol):
    """Freqtrade's own conditions, applied without telling the strategy and mostly without a line in the log."""

    def free_slots(self) -> float:
        """Return how many more trades ``max_open_trades`` allows."""
        ...

    def is_locked(self, pair: str, side: PositionSide) -> bool:
        """Tell whether the pair is locked on this side: after an exit, by a protection, or by a person."""
        ...

    def newest_candle(self, pair: str) -> datetime | None:
        """Return the open time of the pair's newest candle; None if there is none."""
        ...

    def oldest_candle_allowed(self) -> timedelta:
        """Return how long ago the newest candle may have opened."""
        ...

    def looks_at_depth(self) -> bool:
        """Tell whether entries depend on the depth of the market."""
        ...

    def wallets(self) -> Mapping[str, Wallet]:
        """Return what the bot has, by currency."""
        ...


def house_refusal(rules: HouseRules, pair: str, side: PositionSide, now: datetime) -> Reason | None:
    """Return what in the state of Freqtrade keeps a pair from being entered now; None if nothing does.

    In the order in which Freqtrade looks, which begins with free slots: whoever asks has counted those.
    """
    newest = rules.newest_candle(pair)
    if newest is None:
        return Reason.NO_CANDLES
    if newest < now - rules.oldest_candle_allowed():
        return Reason.STALE_CANDLES
    return Reason.LOCKED if rules.is_locked(pair, side) else None
