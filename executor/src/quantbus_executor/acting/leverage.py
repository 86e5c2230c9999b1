"""Leverage: what the signal to enter with asks for, within what the operator and the venue allow."""

import logging

from quantbus_contracts.policy import TradingRules, entry_leverage
from quantbus_executor.hearing.feed import SignalFeed

__all__ = ["Leverage"]

logger = logging.getLogger(__name__)


class Leverage:
    """Answers which leverage an entry gets; it stays with the position until that is flat."""

    def __init__(self, *, feed: SignalFeed, rules: TradingRules) -> None:
        """Know the newest signals and the greatest leverage allowed."""
        self._feed = feed
        self._rules = rules

    def of(self, pair: str, tag: str | None, proposed: float, maximum: float) -> float:
        """Return the leverage of an entry; what Freqtrade ``proposed`` (1) where no signal asked for the entry."""
        published = self._feed.newest(pair)
        if published is None or published.signal_id != tag:
            return proposed
        granted = entry_leverage(published.signal, allowed=self._rules.max_leverage, maximum=maximum)
        asked = published.signal.leverage
        if asked is not None and granted < asked:
            logger.warning(
                "%s: the signal asks for a leverage of %g, %g is granted (max_leverage %g, venue %g)",
                pair,
                asked,
                granted,
                self._rules.max_leverage,
                maximum,
            )
        return granted
