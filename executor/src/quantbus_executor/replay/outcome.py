"""What came of one run: trades, the ledger, and the equity curve that follows from the trades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from quantbus_contracts.policy import PositionSide
from quantbus_contracts.schema import Execution
from quantbus_executor.trades.tags import reason_of_exit_tag, signal_of_entry_tag, signal_of_exit_tag

__all__ = ["Outcome", "ReplayedTrade"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedTrade:
    """One trade of one run. Moments are those of the replayed past, also where they were lived through later."""

    pair: str
    side: PositionSide
    enter_tag: str | None
    opened_at: datetime
    open_rate: float
    stake: float
    exit_reason: str | None = None
    closed_at: datetime | None = None
    close_rate: float | None = None
    profit: float | None = None
    """In quote currency, fees included; None while it is open."""

    @property
    def signal_id(self) -> str | None:
        """The id of the signal that opened it."""
        return signal_of_entry_tag(self.enter_tag)

    @property
    def exit_signal_id(self) -> str | None:
        """The id of the signal that ended it; None if no signal did."""
        return signal_of_exit_tag(self.exit_reason)

    @property
    def exit_cause(self) -> str | None:
        """Why it ended: the reason of a signal's exit, or Freqtrade's own word."""
        return reason_of_exit_tag(self.exit_reason) or self.exit_reason

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name in self.__dataclass_fields__
            if (value := getattr(self, name)) is not None
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: its trades, oldest first, and the ledger's rows by signal."""

    name: str
    trades: Sequence[ReplayedTrade]
    rows: Mapping[str, Execution] = field(default_factory=dict)

    def entry_of(self, signal_id: str) -> ReplayedTrade | None:
        """Return the trade that a signal opened; None if it opened none."""
        return next((trade for trade in self.trades if trade.signal_id == signal_id), None)

    def count_of(self, signal_id: str) -> int:
        """Return how many trades a signal opened."""
        return sum(trade.signal_id == signal_id for trade in self.trades)

    def held(self, pair: str, moment: datetime) -> ReplayedTrade | None:
        """Return the trade that was open in a pair just before ``moment``; None if it was flat."""
        for trade in self.trades:
            if trade.pair == pair and trade.opened_at < moment and _ends_at_or_after(trade, moment):
                return trade
        return None

    def open_at(self, moment: datetime) -> int:
        """Return how many trades were open at ``moment``."""
        return sum(trade.opened_at <= moment and _ends_after(trade, moment) for trade in self.trades)

    def ended(self, pair: str, begin: datetime, end: datetime) -> list[ReplayedTrade]:
        """Return the trades of a pair that ended from ``begin`` to ``end``, both included."""
        return [
            trade
            for trade in self.trades
            if trade.pair == pair and trade.closed_at is not None and begin <= trade.closed_at <= end
        ]

    def equity(self) -> list[tuple[datetime, float]]:
        """Return the profit that had been made when each trade had ended, summed up, oldest first."""
        ended = sorted(
            (trade.closed_at, trade.profit)
            for trade in self.trades
            if trade.closed_at is not None and trade.profit is not None
        )
        curve, total = [], 0.0
        for moment, profit in ended:
            total += profit
            curve.append((moment, total))
        return curve

    def decisions(self) -> list[tuple[Any, ...]]:
        """Return what was decided, in a form that two runs can be compared by."""
        trades = [
            (trade.pair, trade.enter_tag, trade.opened_at, trade.closed_at, trade.exit_reason)
            for trade in self.trades
        ]
        rows = [(row.signal_id, row.version, row.state.value, row.reason) for row in self.rows.values()]
        return [*sorted(trades, key=str), *sorted(rows, key=str)]


def _ends_after(trade: ReplayedTrade, moment: datetime) -> bool:
    return trade.closed_at is None or trade.closed_at > moment


def _ends_at_or_after(trade: ReplayedTrade, moment: datetime) -> bool:
    return trade.closed_at is None or trade.closed_at >= moment
