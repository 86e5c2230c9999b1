"""A run over the past: the follower of the live bot, with the clock at each bar's open and the bus as it stood then.

It is made anew for each run, and a hyperopt makes many. What is pickled for another process is what was read from
the bus; the follower is put together there.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from quantbus_contracts.policy import CatchUp, TradingRules
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.assembly import BusPorts, assemble
from quantbus_executor.backtest.archive import Archive
from quantbus_executor.backtest.book import ListedTrades, MemoryBook
from quantbus_executor.backtest.marks import asked_at, mark_entries
from quantbus_executor.backtest.moments import SteppedClock
from quantbus_executor.backtest.still_bus import MemoryLedger, NoHeartbeats, NoRestraints
from quantbus_executor.backtest.tuning import tuned
from quantbus_executor.follower import SignalFollower
from quantbus_executor.hearing.restraints import RestraintSettings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.settings import ExecutorSettings

__all__ = ["Recall", "Rehearsal", "over_the_past"]

logger = logging.getLogger(__name__)
_EVER = timedelta(days=36_500)
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
_BARS_BEFORE = 20
"""How many of the signals' bars before the first candle are read: they may still be entered upon."""

Recall = Callable[[str, datetime, datetime], Sequence[PublishedSignal]]
"""Reads a pair's signals with ``ts`` in ``[start, end)`` from the bus, each with its history."""


def over_the_past(settings: ExecutorSettings) -> ExecutorSettings:
    """Return the settings without what has no past: downtimes, controls and risk rows."""
    return replace(
        settings,
        max_answer_age=_EVER,
        rules=replace(settings.rules, catch_up=CatchUp.IF_VALID),
        restraints=RestraintSettings(controls=False, risk_state=False),
    )


class Rehearsal:
    """Lets one follower after another live through the same past."""

    def __init__(
        self, settings: ExecutorSettings, timeframe: Timeframe, trades: ListedTrades, *, tunes: bool
    ) -> None:
        """Know no signals yet; ``timeframe`` is the bot's own, ``tunes`` whether parameters count."""
        self._settings = over_the_past(settings)
        self._timeframe = timeframe
        self._trades = trades
        self._tunes = tunes
        self._clock = SteppedClock(_BEFORE_ALL)
        self._archive = Archive(self._clock, settings.rules.clock_skew)
        self._read: dict[str, tuple[datetime, datetime]] = {}
        self._ledger = MemoryLedger()
        self._journal: Journal | None = None
        self._follower: SignalFollower | None = None
        self._rules: TradingRules | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what belongs to the run that is on."""
        return {
            **self.__dict__,
            "_follower": None,
            "_journal": None,
            "_rules": None,
            "_ledger": MemoryLedger(),
        }

    def recall(self, frame: pd.DataFrame, pair: str, read: Recall) -> None:
        """Read a pair's signals for the bars of ``frame``, unless they were read already."""
        if frame.empty:
            return
        moments = asked_at(frame, self._timeframe.delta)
        length = self._settings.timeframe.delta
        start, end = moments[0] - _BARS_BEFORE * length, moments[-1] + length
        known = self._read.get(pair)
        if known is not None and known[0] <= start and end <= known[1]:
            return
        since = self._settings.backtest_since or start
        signals = [item for item in read(pair, start, end) if item.signal.closes_at >= since]
        say = logger.info if signals else logger.warning
        say("%s: %d signals from %s to %s", pair, len(signals), start.isoformat(), end.isoformat())
        self._archive.keep(pair, signals)
        self._read[pair] = (start, end)

    def mark(self, frame: pd.DataFrame, pair: str, parameters: Mapping[str, float]) -> pd.DataFrame:
        """Return the frame with its possible entries marked; a mark after loops begins another run."""
        rules = tuned(self._settings.rules, parameters) if self._tunes else self._settings.rules
        if self._follower is not None or rules != self._rules:
            self._follower, self._rules = None, rules
        return mark_entries(frame, pair, self._archive, rules, self._timeframe)

    def on_loop(self, now: datetime) -> None:
        """Live through the moment ``now``.

        Raises
        ------
        SystemExit
            If that fails: Freqtrade swallows every other error here, and would report a run without trades.
        """
        self._clock.set(now)
        try:
            self.follower.on_loop(self._archive.pairs)
        except Exception as error:
            logger.exception("the rehearsal failed at %s", now.isoformat())
            raise SystemExit(1) from error

    def save_ledger(self, path: Path) -> None:
        """Write what became of each signal in the last run, as lines of JSON."""
        if self._journal is not None:
            self._journal.flush()
        self._ledger.save(path)

    @property
    def follower(self) -> SignalFollower:
        """The follower of the run that is on."""
        if self._follower is None:
            self._follower = self._new_follower()
        return self._follower

    def _new_follower(self) -> SignalFollower:
        # A row of the ledger is a line in the log, and here nobody waits for any of them.
        logging.getLogger("quantbus_executor.ledger").setLevel(logging.WARNING)
        settings = replace(self._settings, rules=self._rules or self._settings.rules)
        self._ledger = MemoryLedger()
        self._journal = Journal(self._ledger, settings.consumer_id)
        ports = BusPorts(
            signals=self._archive,
            restraints=NoRestraints(self._clock),
            ledger=self._ledger,
            journal=self._journal,
            heartbeats=NoHeartbeats(),
        )
        return assemble(settings, ports, MemoryBook(self._trades), self._clock)
