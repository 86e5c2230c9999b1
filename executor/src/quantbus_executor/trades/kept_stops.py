"""The stop price that a signal gave a trade, kept in the trade's custom data: a restart without the bus knows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from quantbus_executor.trades.book import TradeRecord

__all__ = ["STOP_KEY", "KeptStop", "KeptStops"]

STOP_KEY = "quantbus_stop"

_TradeKey = tuple[int, datetime]
"""Number and opening time: SQLite gives the number of a deleted trade to the next one."""


@dataclass(frozen=True, slots=True)
class KeptStop:
    """A stop price and the revision it came from; ``price`` None notes that this signal gave none."""

    price: float | None
    signal_id: str
    version: int


class KeptStops:
    """Reads and keeps the stops of trades. Custom data is read once per trade and process."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[_TradeKey, KeptStop | None] = {}

    def of(self, trade: TradeRecord) -> KeptStop | None:
        """Return what is kept with a trade; None if nothing was noted yet."""
        key = _key(trade)
        if key not in self._known:
            self._known[key] = _stop_of(trade.get_custom_data(STOP_KEY))
        return self._known[key]

    def keep(self, trade: TradeRecord, stop: KeptStop) -> None:
        """Keep a stop with a trade."""
        trade.set_custom_data(
            STOP_KEY, {"price": stop.price, "signal_id": stop.signal_id, "version": stop.version}
        )
        self._known[_key(trade)] = stop

    def forget_all_but(self, trades: Iterable[TradeRecord]) -> None:
        """Drop what is remembered of trades that are no longer open."""
        for gone in self._known.keys() - {_key(trade) for trade in trades}:
            del self._known[gone]


def _key(trade: TradeRecord) -> _TradeKey:
    return trade.id, trade.open_date_utc


def _stop_of(kept: object) -> KeptStop | None:
    if not isinstance(kept, Mapping) or "price" not in kept:
        return None
    price = None if kept["price"] is None else float(kept["price"])
    if price is not None and not (isfinite(price) and price > 0):
        return None
    return KeptStop(price, str(kept.get("signal_id", "")), int(kept.get("version", 0)))
