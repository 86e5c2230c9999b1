"""What bears on a decision about one pair besides its signal: restraints, its past trades, since when one looks."""

from collections.abc import Sequence

from quantbus_contracts.policy import Circumstances, PastTrade, PositionSide, TradingRules, confidence_of
from quantbus_contracts.schema import Control, Signal
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.patience import Stretch
from quantbus_executor.hearing.restraints import Restraints
from quantbus_executor.trades.book import TradeBook

__all__ = ["Surroundings"]


class Surroundings:
    """Asks the bus for signals and restraints in one go, and puts together what is known of a pair."""

    def __init__(
        self, feed: SignalFeed, restraints: Restraints, book: TradeBook, rules: TradingRules
    ) -> None:
        """Know what these know."""
        self._feed = feed
        self._restraints = restraints
        self._book = book
        self._rules = rules

    def ask(self, pairs: Sequence[str], time: Stretch) -> bool:
        """Ask for signals and restraints; return whether signals were heard.

        Signals come first. On a bus too slow for both in one loop, restraints get the turn every so often.
        """
        if self._restraints.is_overdue:
            self._restraints.refresh()
            return time.has_time and self._feed.refresh(pairs)
        heard = self._feed.refresh(pairs)
        if time.has_time:
            self._restraints.refresh()
        return heard

    def of(self, pair: str, *, entering: bool = False) -> Circumstances:
        """Return what bears on a decision about a pair now; its past, which only entries ask for, if ``entering``."""
        control = self._restraints.control(pair)
        return Circumstances(
            control=control.kind if control is not None else None,
            risk=self._restraints.risk(pair),
            restraints_known=self._restraints.known,
            past=self._past(pair) if entering else (),
            looking_since=self._feed.looking_since,
        )

    def control(self, pair: str) -> Control | None:
        """Return the control in force for a pair; None if there is none."""
        return self._restraints.control(pair)

    @property
    def unreadable_rows(self) -> int:
        """How many rows of the last answers are none: written past the validators."""
        return len(self._feed.unreadable) + len(self._restraints.unreadable)

    def stake_scale(self, signal: Signal, side: PositionSide) -> float:
        """Return which share of its stake an entry gets, by its confidence and by risk."""
        by_confidence = self._rules.confidence.factor(confidence_of(signal, side))
        return by_confidence * self._restraints.risk(signal.pair).stake_scale

    def _past(self, pair: str) -> tuple[PastTrade, ...]:
        looks_back = self._rules.debounce.looks_back
        if looks_back is None:
            return ()
        closed = self._book.closed_since(pair, self._feed.now() - looks_back)
        return tuple(
            PastTrade(trade.open_date_utc, trade.close_date_utc)
            for trade in closed
            if trade.close_date_utc is not None
        )
