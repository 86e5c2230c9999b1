"""Goes after the signals that newer ones hid, or whose pair is not followed, so that each comes to an end.

The loop asks for the newest signal of each pair and sees no other. The sweep goes through all of them in the order in
which they reached the bus, from a place that is kept on the disk: after a downtime it goes on where it was. It reads
a little again each time, since rows become visible in another order than their times say.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.policy import TradingRules, fate_of_overlooked, tolerance_end
from quantbus_contracts.ports import ExecutionReader, SignalSweeper, SweepPage, SweepPlace
from quantbus_contracts.schema import ExecutionState, PublishedSignal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.outbox import Outbox
from quantbus_executor.ledger.rows import seen, with_changes

__all__ = ["Sweep"]

logger = logging.getLogger(__name__)
_PLACE = "sweep"
_EVERY = timedelta(seconds=10)
_READ_AGAIN = timedelta(seconds=60)
_PAGE = 500
_ACTED = (
    ExecutionState.ACCEPTED,
    ExecutionState.ORDERED,
    ExecutionState.FILLED,
    ExecutionState.UNKNOWN,
)
"""What an earlier revision caused is done, being done or in doubt: a hidden one changes nothing about it."""


class Sweep:
    """Sweeps one page at a time, at most every few seconds once it is abreast of the bus."""

    def __init__(
        self,
        sweeper: SignalSweeper,
        journal: Journal,
        outbox: Outbox,
        ledger: ExecutionReader,
        *,
        strategy_id: str,
        timeframe: Timeframe,
        rules: TradingRules,
    ) -> None:
        """Read through ``sweeper`` and ``ledger``, note in ``journal``, keep the place in ``outbox``."""
        self._sweeper = sweeper
        self._journal = journal
        self._outbox = outbox
        self._ledger = ledger
        self._strategy_id = strategy_id
        self._timeframe = timeframe
        self._rules = rules
        self._next: SweepPlace | None = None
        self._undecided_since: datetime | None = None
        self._again_at: datetime | None = None
        self._began: datetime | None = None

    def sweep(
        self,
        now: datetime,
        followed: Collection[str],
        newest: Mapping[str, PublishedSignal],
        looking_since: datetime | None,
    ) -> None:
        """Bring the signals of one page to an end, if it is time; ``newest`` is what the loop has heard, by pair."""
        if self._again_at is not None and now < self._again_at:
            return
        self._began = self._began or now
        place = self._next or self._begin(now)
        try:
            page = self._sweeper.page(self._strategy_id, self._timeframe, place, limit=_PAGE)
            unknown = self._unknown(page)
        except QuantbusError as error:
            logger.debug("the sweep over signals goes on later: %s", error)
            self._again_at = now + _EVERY
            return
        with self._journal.together():
            for published in unknown:
                hides = newest.get(published.signal.pair)
                self._end(
                    published,
                    now,
                    is_followed=published.signal.pair in followed,
                    is_hidden=hides is not None and hides.signal.ts > published.signal.ts,
                    looking_since=looking_since,
                )
            self._advance(page, now)

    def _begin(self, now: datetime) -> SweepPlace:
        """Go back from where the last sweep was; at the very first, as far as an entry may still be made."""
        self._undecided_since = None
        kept = self._outbox.place(_PLACE)
        if kept is not None:
            return SweepPlace(kept - _READ_AGAIN - self._rules.clock_skew)
        bar = self._timeframe.last_closed(now)
        return SweepPlace(bar - (tolerance_end(bar, self._timeframe.name, self._rules) - bar))

    def _unknown(self, page: SweepPage) -> list[PublishedSignal]:
        """Return the signals of which no row is known, here or on the bus."""
        unknown = [item for item in page.signals if not self._is_known(item)]
        began = self._began or page.now
        since = max(began, self._journal.forgotten_until or began)
        asked = [item.signal_id for item in unknown if item.version > 1 or item.available_at <= since]
        if asked:
            try:
                self._journal.adopt(self._ledger.of_consumer(self._journal.consumer_id, asked))
            except ValueError as error:  # a row that this version cannot read: what has a row is left alone
                logger.error("ledger rows of %d signals are unreadable: %s", len(asked), error)
                unknown = [item for item in unknown if item.signal_id not in set(asked)]
        return [item for item in unknown if not self._is_known(item)]

    def _is_known(self, published: PublishedSignal) -> bool:
        row = self._journal.row(published.signal_id)
        return row is not None and (row.version >= published.version or row.state in _ACTED)

    def _end(
        self,
        published: PublishedSignal,
        now: datetime,
        *,
        is_followed: bool,
        is_hidden: bool,
        looking_since: datetime | None,
    ) -> None:
        fate = fate_of_overlooked(
            published,
            now,
            self._rules,
            is_followed=is_followed,
            is_hidden=is_hidden,
            looking_since=looking_since,
        )
        if fate is None:
            if now < tolerance_end(published.signal.ts, self._timeframe.name, self._rules):
                since = self._undecided_since or published.available_at
                self._undecided_since = min(since, published.available_at)
            return
        former = self._journal.row(published.signal_id)
        row = seen(published, former, consumer_id=self._journal.consumer_id, now=now, rules=self._rules)
        self._journal.put(
            with_changes(row, {"state": fate.state, "reason": fate.reason}), published.signal.ref_price
        )

    def _advance(self, page: SweepPage, now: datetime) -> None:
        self._next = page.after
        if page.after is not None:
            return
        self._again_at = now + _EVERY
        self._outbox.keep_place(_PLACE, min(page.now, self._undecided_since or page.now))
