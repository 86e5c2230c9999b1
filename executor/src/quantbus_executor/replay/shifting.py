"""A past that is lived through again later: signals moved by whole bars, and what came of them moved back; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from quantbus_contracts.schema import Execution, PublishedSignal, Signal
from quantbus_executor.replay.outcome import ReplayedTrade
from quantbus_executor.trades.tags import (
    reason_of_exit_tag,
    signal_of_entry_tag,
    signal_of_exit_tag,
)

__all__ = ["Publication", "Shift"]

_MOMENTS = ("ts", "available_at", "seen_at", "accepted_at", "ordered_at", "filled_at")


@dataclass(frozen=True, slots=True)
class Publication:
    """One revision of a signal, and when it is to be published."""

    at: datetime
    signal: Signal


class Shift:
    """Moves by ``by``, a whole number of bars, to strategy ``strategy_id``, and knows which signal became which."""

    def __init__(self, by: timedelta, signals: Iterable[PublishedSignal], strategy_id: str) -> None:
        """Know the signals that will be moved."""
        self.by = by
        self.strategy_id = strategy_id
        self._signals = list(signals)
        self._former_strategy = next((item.signal.strategy_id for item in self._signals), strategy_id)
        self._former = {self.moved(item.signal).signal_id: item.signal_id for item in self._signals}

    def moved(self, signal: Signal) -> Signal:
        """Return a signal as a replay publishes it; a row of a backfill stays one, so that it does not trade."""
        changes: dict[str, Any] = {"ts": signal.ts + self.by, "strategy_id": self.strategy_id}
        if signal.valid_until is not None:
            changes["valid_until"] = signal.valid_until + self.by
        if signal.origin == "live":
            changes["origin"] = "replay"
        return signal.model_copy(update=changes)

    def publications(self) -> list[Publication]:
        """Return every revision of every signal in the order of their availability."""
        found = []
        for published in self._signals:
            states = [(former.available_at, former.signal) for former in published.history]
            states.append((published.available_at, published.signal))
            found += [Publication(moment + self.by, self.moved(signal)) for moment, signal in states]
        return sorted(found, key=lambda publication: publication.at)

    def row_back(self, row: Execution) -> Execution | None:
        """Return a ledger row as one about the original signal; None if it is about another."""
        former = self._former.get(row.signal_id)
        if former is None:
            return None
        moments = {name: value - self.by for name in _MOMENTS if (value := getattr(row, name)) is not None}
        return row.model_copy(update={**moments, "signal_id": former, "strategy_id": self._former_strategy})

    def trade_back(self, trade: Mapping[str, Any], until: datetime) -> ReplayedTrade | None:
        """Return a row of Freqtrade's table of trades as one of the past; None if it began after ``until``."""
        opened_at = _moment(trade["open_date"]) - self.by
        closed_at = _moment(trade["close_date"]) - self.by if trade["close_date"] else None
        if opened_at >= until:
            return None
        ended = closed_at is not None and closed_at < until
        return ReplayedTrade(
            pair=trade["pair"],
            side="short" if trade["is_short"] else "long",
            enter_tag=self._entry_tag_back(trade["enter_tag"]),
            opened_at=opened_at,
            open_rate=trade["open_rate"],
            stake=trade["stake_amount"],
            exit_reason=self._exit_reason_back(trade["exit_reason"]) if ended else None,
            closed_at=closed_at if ended else None,
            close_rate=trade["close_rate"] if ended else None,
            profit=trade["close_profit_abs"] if ended else None,
        )

    def _entry_tag_back(self, tag: str | None) -> str | None:
        return self._former.get(signal_of_entry_tag(tag) or "", tag)

    def _exit_reason_back(self, reason: str | None) -> str | None:
        former = self._former.get(signal_of_exit_tag(reason) or "")
        if former is None:
            return reason
        return f"{reason_of_exit_tag(reason)}:{former}"


def _moment(text: str) -> datetime:
    """Read a moment as Freqtrade's database has it: UTC without saying so."""
    return datetime.fromisoformat(f"{text}+00:00")
