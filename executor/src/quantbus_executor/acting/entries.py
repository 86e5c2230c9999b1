"""Entries: what a loop offers to enter with, how much is staked on it, and the last check before the order."""

import logging

import pandas as pd

from quantbus_contracts.policy import (
    Decision,
    DecisionKind,
    PositionSide,
    Reason,
    TradingRules,
    decide,
    entry_stake,
    is_below_minimum,
)
from quantbus_contracts.schema import PublishedSignal
from quantbus_executor.acting.attempts import Attempts, Stage
from quantbus_executor.acting.columns import mark_entry
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.acting.stops import Stops
from quantbus_executor.claims.claim import Wish
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import accepted, entry_action, rejected, waiting
from quantbus_executor.trades.tags import FORCED_ENTRY

__all__ = ["Entries"]

logger = logging.getLogger(__name__)


class Entries:
    """Holds the offers of one loop by pair, and answers Freqtrade's questions about them."""

    def __init__(
        self,
        *,
        feed: SignalFeed,
        journal: Journal,
        gate: EntryGate,
        surroundings: Surroundings,
        stops: Stops,
        rules: TradingRules,
        attempts: Attempts | None = None,
    ) -> None:
        """Offer nothing yet."""
        self._attempts = attempts or Attempts(None)
        self._stops = stops
        self._feed = feed
        self._journal = journal
        self._gate = gate
        self._surroundings = surroundings
        self._rules = rules
        self._offers: dict[str, Decision] = {}
        self._leverages: dict[str, float] = {}

    def __len__(self) -> int:
        """Return how many pairs are offered to enter."""
        return len(self._offers)

    def withdraw(self) -> None:
        """Offer nothing any more, and name what kept Freqtrade from what it was offered."""
        self._offers = {}  # first: a loop that fails at the rest must not go on with the offers of the last one
        for signal_id, reason in self._attempts.review(self._feed.now()):
            self._name(signal_id, reason)

    def heard(self, pair: str, reason: Reason) -> None:
        """Take note of what Freqtrade's log says about an entry that failed."""
        self._attempts.heard(pair, reason)

    def offer(self, published: PublishedSignal, decision: Decision) -> Reason | None:
        """Offer to enter as decided; return why that is refused, None if it is offered."""
        refusal = self._gate.refusal(published.signal_id, published.version, published.signal.pair)
        if refusal is None:
            self._offers[published.signal.pair] = decision
            if decision.side is not None:
                self._attempts.begin(
                    published.signal.pair, published.signal_id, decision.side, self._feed.now()
                )
        return refusal

    def mark(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        """Return the frame with its last row marked if the pair is offered to enter."""
        self._attempts.reached(pair, Stage.MARKED)
        offer = self._offers.get(pair)
        return mark_entry(frame, offer.side if offer else None, offer.signal_id if offer else None)

    def stake(
        self,
        pair: str,
        tag: str | None,
        proposed: float,
        capital: float,
        maximum: float,
        minimum: float | None = None,
        leverage: float = 1.0,
    ) -> float:
        """Return the stake of an entry; 0.0, which Freqtrade takes for no trade, where there is no sound one."""
        if tag == FORCED_ENTRY:
            return proposed
        self._leverages[pair] = leverage
        published, side = self._offered(pair, tag), self._side_offered(pair)
        if published is None or side is None:
            return 0.0
        scale = self._surroundings.stake_scale(published.signal, side)
        stake = entry_stake(published.signal, proposed, capital, maximum=maximum, scale=scale)
        refusal = _stake_refusal(stake, proposed, maximum, minimum)
        if refusal is not None:
            self._hold_back(published.signal_id, refusal)
            return 0.0
        self._attempts.reached(pair, Stage.STAKED)
        return stake

    def confirm(
        self, pair: str, tag: str | None, side: str, rate: float | None = None, amount: float = 0.0
    ) -> bool:
        """Return whether an entry may be ordered, at about ``rate``: everything is checked again, at this moment.

        Once this is true the order is claimed: whatever happens next, no other is sent because of the signal.
        """
        if tag == FORCED_ENTRY:
            return self._confirm_forced(pair)
        published = self._offered(pair, tag)
        refusal = self._refusal(published, side, rate)
        if refusal is not None or published is None:
            logger.info("%s: entry with tag %s refused: %s", pair, tag, refusal)
            if published is not None and refusal is not None:
                self._hold_back(published.signal_id, refusal)
            return False
        taken = self._claim(published, side, rate or 0.0, amount) and self._accept(published, side)
        if taken:
            self._attempts.reached(pair, Stage.CONFIRMED)
        return taken

    def _confirm_forced(self, pair: str) -> bool:
        control = self._surroundings.control(pair)
        if control is not None:
            logger.warning(
                "%s: the entry that a person asked for is refused: %s of %s by %s is in force (%s)",
                pair,
                control.kind.value,
                control.scope,
                control.source,
                control.reason,
            )
            return False
        logger.info("%s: entering because a person asked for it, not because of a signal", pair)
        return True

    def _offered(self, pair: str, tag: str | None) -> PublishedSignal | None:
        """Return the signal that this loop offered to enter with and that ``tag`` names."""
        offer = self._offers.get(pair)
        return self._feed.newest(pair) if offer is not None and tag == offer.signal_id else None

    def _side_offered(self, pair: str) -> PositionSide | None:
        offer = self._offers.get(pair)
        return offer.side if offer is not None else None

    def _refusal(self, published: PublishedSignal | None, side: str, rate: float | None) -> Reason | None:
        if not self._feed.may_enter:
            return Reason.BUS_DOWN
        if published is None:
            return Reason.NOT_OFFERED
        around = self._surroundings.of(published.signal.pair, entering=True)
        decision = decide(published, None, self._feed.now(), self._rules, around)
        if decision.kind is not DecisionKind.ENTER:
            return decision.reason or Reason.NOT_OFFERED
        if decision.side != side:
            return Reason.NOT_OFFERED
        if self._stops.is_crossed_by(published, rate):
            return Reason.STOP_CROSSED
        return self._gate.refusal(published.signal_id, published.version, published.signal.pair)

    def _claim(self, published: PublishedSignal, side: str, rate: float, amount: float) -> bool:
        if self._journal.row(published.signal_id) is None:
            return False
        wish = Wish(
            signal_id=published.signal_id,
            version=published.version,
            pair=published.signal.pair,
            side="short" if side == "short" else "long",
            amount=amount,
            rate=rate,
            leverage=self._leverages.get(published.signal.pair, 1.0),
        )
        refusal = self._gate.claim(wish)
        if refusal is not None:
            logger.warning("%s: entry with signal %s refused: %s", wish.pair, wish.signal_id, refusal)
            self._hold_back(published.signal_id, refusal)
        return refusal is None

    def _accept(self, published: PublishedSignal, side: str) -> bool:
        row = self._journal.row(published.signal_id)
        if row is None:
            return False
        taken: PositionSide = "short" if side == "short" else "long"
        self._journal.put(accepted(row, entry_action(taken), self._feed.now()))
        return True

    def _name(self, signal_id: str, reason: Reason) -> None:
        row = self._journal.row(signal_id)
        if row is not None:
            gone = reason is Reason.ORDER_REJECTED
            self._journal.put(rejected(row, reason) if gone else waiting(row, reason))

    def _hold_back(self, signal_id: str, reason: Reason) -> None:
        row = self._journal.row(signal_id)
        if row is not None:
            self._attempts.refused(row.pair)
            self._journal.put(waiting(row, reason))


def _stake_refusal(stake: float, proposed: float, maximum: float, minimum: float | None) -> Reason | None:
    if is_below_minimum(maximum, minimum) or (stake == 0.0 and 0.0 in (proposed, maximum)):
        return Reason.NO_BALANCE  # no stake would do: what is free is too little
    if stake == 0.0:
        return Reason.STAKE_INVALID
    return Reason.STAKE_BELOW_MINIMUM if is_below_minimum(stake, minimum) else None
