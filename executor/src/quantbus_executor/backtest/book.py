"""Freqtrade's trades in a backtest, which has no database: two lists that it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from quantbus_executor.trades.book import TradeRecord

__all__ = ["ListedTrades", "Lists", "MemoryBook"]


class ListedTrades(Protocol):
    """Where Freqtrade keeps them; each run begins with new lists."""

    @property
    def bt_trades(self) -> Sequence[TradeRecord]:
        """The trades that are over, in the order in which they ended."""
        ...

    @property
    def bt_trades_open(self) -> Sequence[TradeRecord]:
        """The trades that are open."""
        ...


@dataclass(slots=True)
class Lists:
    """Such lists without Freqtrade."""

    bt_trades: list[TradeRecord] = field(default_factory=list)
    bt_trades_open: list[TradeRecord] = field(default_factory=list)


class MemoryBook:
    """A `TradeBook` over the lists."""

    def __init__(self, trades: ListedTrades) -> None:
        """Look into ``trades``."""
        self._trades = trades
        self._read = 0
        self._closed_by_tag: dict[str | None, list[TradeRecord]] = {}

    def open_trades(self) -> Sequence[TradeRecord]:
        """Return the trades that are open."""
        return list(self._trades.bt_trades_open)

    def tagged(self, tag: str) -> Sequence[TradeRecord]:
        """Return the trades, open or closed, that were entered with ``tag``."""
        closed = self._trades.bt_trades
        for trade in closed[self._read :]:
            self._closed_by_tag.setdefault(trade.enter_tag, []).append(trade)
        self._read = len(closed)
        is_open = [trade for trade in self._trades.bt_trades_open if trade.enter_tag == tag]
        return [*self._closed_by_tag.get(tag, ()), *is_open]

    def trade(self, trade_id: int) -> TradeRecord | None:
        """Return one trade; None if there is none of that number."""
        known = (*self._trades.bt_trades_open, *reversed(self._trades.bt_trades))
        return next((trade for trade in known if trade.id == trade_id), None)

    def closed_since(self, pair: str, moment: datetime) -> Sequence[TradeRecord]:
        """Return the trades of a pair that were closed after ``moment``, in any order."""
        found = []
        for trade in reversed(self._trades.bt_trades):
            if trade.close_date_utc is None or trade.close_date_utc <= moment:
                break
            if trade.pair == pair:
                found.append(trade)
        return found

    def latest(self, count: int) -> Sequence[TradeRecord]:
        """Return the trades that were opened last, newest first."""
        known = (*self._trades.bt_trades, *self._trades.bt_trades_open)
        return sorted(known, key=lambda trade: trade.id, reverse=True)[:count]
