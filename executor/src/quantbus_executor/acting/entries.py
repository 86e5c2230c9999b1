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
from quantbus_executor.acting.columns import mark_entry
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import accepted, entry_action, waiting
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
        rules: TradingRules,
    ) -> None:
        """Offer nothing yet."""
        self._feed = feed
        self._journal = journal
        self._gate = gate
        self._surroundings = surroundings
        self._rules = rules
        self._offers: dict[str, Decision] = {}

    def __len__(self) -> int:
        """Return how many pairs are offered to enter."""
        return len(self._offers)

    def withdraw(self) -> None:
        """Offer nothing any more."""
        self._offers = {}

    def offer(self, published: PublishedSignal, decision: Decision) -> Reason | None:
        """Offer to enter as decided; return why that is refused, None if it is offered."""
        refusal = self._gate.refusal(published.signal_id, published.version)
        if refusal is None:
            self._offers[published.signal.pair] = decision
        return refusal

    def mark(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        """Return the frame with its last row marked if the pair is offered to enter."""
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
    ) -> float:
        """Return the stake of an entry; 0.0, which Freqtrade takes for no trade, where there is no sound one."""
        if tag == FORCED_ENTRY:
            return proposed
        published, side = self._offered(pair, tag), self._side_offered(pair)
        if published is None or side is None:
            return 0.0
        scale = self._surroundings.stake_scale(published.signal, side)
        stake = entry_stake(published.signal, proposed, capital, maximum=maximum, scale=scale)
        if stake == 0.0:
            self._hold_back(published.signal_id, Reason.STAKE_INVALID)
        elif is_below_minimum(stake, minimum):
            self._hold_back(published.signal_id, Reason.STAKE_BELOW_MINIMUM)
            return 0.0
        return stake

    def confirm(self, pair: str, tag: str | None, side: str) -> bool:
        """Return whether an entry may be ordered: everything is checked again, at this moment."""
        if tag == FORCED_ENTRY:
            return self._confirm_forced(pair)
        published = self._offered(pair, tag)
        refusal = self._refusal(published, side)
        if refusal is not None or published is None:
            logger.info("%s: entry with tag %s refused: %s", pair, tag, refusal)
            if published is not None and refusal is not None:
                self._hold_back(published.signal_id, refusal)
            return False
        return self._accept(published, side)

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

    def _refusal(self, published: PublishedSignal | None, side: str) -> Reason | None:
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
        return self._gate.refusal(published.signal_id, published.version)

    def _accept(self, published: PublishedSignal, side: str) -> bool:
        row = self._journal.row(published.signal_id)
        if row is None:
            return False
        taken: PositionSide = "short" if side == "short" else "long"
        self._journal.put(accepted(row, entry_action(taken), self._feed.now()))
        return True

    def _hold_back(self, signal_id: str, reason: Reason) -> None:
        row = self._journal.row(signal_id)
        if row is not None:
            self._journal.put(waiting(row, reason))
