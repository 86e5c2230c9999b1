"""How far Freqtrade came with each entry it was offered: so that a refusal without a word gets its name.

Freqtrade asks the strategy three things on the way to an order: for its columns, for the stake, and for a last yes.
What it asked, what its log said and what its state was tell together why an entry was not made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from quantbus_contracts.policy import PositionSide, Reason
from quantbus_executor.guard import fails_to
from quantbus_executor.trades.book import TradeBook
from quantbus_executor.trades.house_rules import HouseRules, house_refusal
from quantbus_executor.trades.tags import entry_tag

__all__ = ["Attempts", "Stage"]

_UNNAMED: Reason | None = None


class Stage(IntEnum):
    """How far an entry came."""

    OFFERED = 0
    MARKED = 1
    STAKED = 2
    CONFIRMED = 3


@dataclass(slots=True)
class _Attempt:
    signal_id: str
    side: PositionSide
    foreseen: Reason | None
    stage: Stage = Stage.OFFERED
    heard: Reason | None = None
    refused_by_us: bool = False


class Attempts:
    """The entries offered in one loop, by pair."""

    def __init__(self, rules: HouseRules | None = None, book: TradeBook | None = None) -> None:
        """Name what ``rules`` refuse; without them nothing is named. What is in ``book`` was not refused."""
        self._rules = rules
        self._book = book
        self._slots: float | None = None
        self._attempts: dict[str, _Attempt] = {}

    def begin(self, pair: str, signal_id: str, side: PositionSide, now: datetime) -> None:
        """Note that a pair is offered to be entered."""
        foreseen = self._house_refusal(self._rules, pair, side, now) if self._rules is not None else None
        self._attempts[pair] = _Attempt(signal_id, side, foreseen)

    def reached(self, pair: str, stage: Stage) -> None:
        """Note how far Freqtrade came with a pair."""
        if (attempt := self._attempts.get(pair)) is not None:
            attempt.stage = max(attempt.stage, stage)

    def refused(self, pair: str) -> None:
        """Note that we said no ourselves, and why is in the ledger."""
        if (attempt := self._attempts.get(pair)) is not None:
            attempt.refused_by_us = True

    def heard(self, pair: str, reason: Reason) -> None:
        """Note what Freqtrade's log said about a pair."""
        if (attempt := self._attempts.get(pair)) is not None:
            attempt.heard = reason

    def review(self, now: datetime) -> Iterator[tuple[str, Reason]]:
        """Yield why each entry of the loop that has ended was not made, and forget them all.

        An entry that was agreed to is named only if the venue or Freqtrade itself said that there is no order.
        """
        attempts, self._attempts, self._slots = self._attempts, {}, None
        if self._rules is None:
            return
        for pair, attempt in attempts.items():
            reason = self._why(pair, attempt, self._rules, now)
            if reason is not None and not self._is_trade(attempt):
                yield attempt.signal_id, reason
        self._slots = None

    @fails_to(_UNNAMED)
    def _why(self, pair: str, attempt: _Attempt, rules: HouseRules, now: datetime) -> Reason | None:
        if attempt.refused_by_us:
            return None
        if attempt.stage is Stage.CONFIRMED:
            return attempt.heard if attempt.heard is Reason.ORDER_REJECTED else None
        if attempt.heard is not None:
            return attempt.heard
        if attempt.stage is Stage.STAKED:
            return Reason.NO_BALANCE  # less than the least stake is free: the stake itself was large enough
        seen = self._house_refusal(rules, pair, attempt.side, now) or attempt.foreseen
        if seen is not None:
            return seen
        if attempt.stage is Stage.OFFERED:
            return Reason.NO_CANDLES
        return Reason.DEPTH_OF_MARKET if rules.looks_at_depth() else Reason.PAUSED

    def _is_trade(self, attempt: _Attempt) -> bool:
        return self._book is not None and bool(self._book.tagged(entry_tag(attempt.signal_id)))

    @fails_to(_UNNAMED)  # a Freqtrade that cannot say must keep nothing from trading
    def _house_refusal(
        self, rules: HouseRules, pair: str, side: PositionSide, now: datetime
    ) -> Reason | None:
        """Ask what Freqtrade's state says; the slots are counted once for all pairs."""
        if self._slots is None:
            self._slots = rules.free_slots()
        return Reason.NO_SLOT if self._slots <= 0 else house_refusal(rules, pair, side, now)
