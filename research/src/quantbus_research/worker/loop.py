"""The always-on loop: wake at bar close, wait for the bar, infer, publish; then the next one."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from quantbus_contracts.errors import ArtefactError, BusUnavailable, ConfigError
from quantbus_research.dataset import TooFewBars
from quantbus_research.metrics import WorkerMetrics
from quantbus_research.worker.catching_up import CatchUp
from quantbus_research.worker.pulse import Pulse
from quantbus_research.worker.reporting import Reporter
from quantbus_research.worker.speakers import Speakers
from quantbus_research.workflows import (
    Inference,
    NoModel,
    Pause,
    SawTheFuture,
    Session,
    infer,
    leave_in_time,
    timing_of,
    wait_for_bar,
)

__all__ = ["BarLoop"]

# A bar is final at its close; a little later, since clocks differ.
_SETTLE = timedelta(milliseconds=100)
_NAP_SECONDS = 1.0
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.25, 5.0
_GIVE_UP_AFTER_FAILURES = 10
_log = structlog.get_logger(__name__)


def _nothing() -> None:
    pass


class BarLoop:
    """Evaluates every bar once, when it closes. Holds nothing that a restart would miss."""

    def __init__(
        self,
        session: Session,
        *,
        metrics: WorkerMetrics,
        pulse: Pulse,
        pause: Pause,
        max_bars: int | None = None,
        retrain: bool = False,
        set_clock: Callable[[], None] = _nothing,
        after_close: timedelta = _SETTLE,
    ) -> None:
        """Work in ``session``.

        ``pause(seconds)`` waits and tells whether to stop; ``set_clock`` is called before the time matters;
        ``after_close`` is how long after a bar's close the loop wakes.
        """
        self._session = session
        self._pause = pause
        self._max_bars = max_bars
        self._set_clock = set_clock
        self._after_close = after_close
        self._timeframe = session.recipe.market.bars
        self._tell = Reporter(session, metrics, pulse)
        self._speakers = Speakers(session, self._tell, retrain=retrain)
        self._catch_up = CatchUp(session, self._speakers, self._tell, should_stop=lambda: pause(0))
        self._declared = False
        self._left: datetime | None = None

    def run(self) -> int:
        """Go on until asked to stop, or until ``max_bars`` bars are evaluated; return how many were."""
        evaluated, failures = 0, 0
        done: datetime | None = None
        while self._max_bars is None or evaluated < self._max_bars:
            bar = self._await_close(after=done)
            if bar is None:
                break
            try:
                published = self._evaluate(bar)
            except (NoModel, SawTheFuture, TooFewBars) as error:
                if self._wait_until_able(bar, error):
                    break
                continue
            except ArtefactError:
                raise  # a model that was tampered with does not mend itself
            except BusUnavailable as error:
                published = False
                self._tell.bar("failed")
                _log.error("bar_given_up", bar=bar.isoformat(), error=str(error))
            except Exception:
                published = False
                failures += 1
                self._tell.bar("failed")
                _log.exception("bar_failed", bar=bar.isoformat(), failures=failures)
                if failures >= _GIVE_UP_AFTER_FAILURES:
                    raise
            else:
                failures = 0
                evaluated += published
            self._go_back(bar, done, published=published)
            done = bar
        return evaluated

    def _await_close(self, after: datetime | None) -> datetime | None:
        """Return the newest closed bar, once it is newer than ``after``; None when asked to stop."""
        while True:
            self._tell.beat()
            self._set_clock()
            now = self._session.clock.now()
            bar = self._timeframe.last_closed(now)
            due = self._timeframe.close_of(bar) + self._after_close
            if after is not None and after > bar + self._timeframe.delta:
                _log.warning("clock_set_back", newest_bar=bar.isoformat(), evaluated=after.isoformat())
                after = None  # bars of the real present are not to wait for those of a future that was none
            if after is not None and bar <= after:
                due += self._timeframe.delta
            if now >= due:
                return None if self._pause(0) else bar
            if self._pause(min(_NAP_SECONDS, (due - now).total_seconds())):
                return None

    def _evaluate(self, bar: datetime) -> bool:
        """Publish what the bar says, as long as it is the newest; return whether it was evaluated."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                return self._attempt(bar)
            except BusUnavailable as error:
                self._tell.bus_away(bar, error)
                if not self._has_patience(bar) or self._pause(backoff):
                    raise
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)

    def _has_patience(self, bar: datetime) -> bool:
        """Tell whether there would still be something to say about the bar, if the bus were back now."""
        timing = timing_of(self._timeframe, bar, self._session.clock.now())
        return timing == "in_time" or (timing == "late" and self._session.recipe.publish.on_late != "nothing")

    def _attempt(self, bar: datetime) -> bool:
        session = self._session
        missing = wait_for_bar(
            session.candles,
            session.recipe.market.instruments,
            self._timeframe,
            bar,
            until=self._timeframe.close_of(bar) + session.recipe.max_wait,
            clock=session.clock,
            pause=self._pause_alive,
        )
        if self._pause(0):
            return False
        self._tell.bars_missing(bar, missing)
        bars_at = session.clock.now()
        speaker = self._speakers.at(bar)
        self._set_clock()
        if timing_of(self._timeframe, bar, session.clock.now()) == "passed":
            self._tell.skipped(bar)
            return False
        inference = infer(session, speaker, bar, origin="live", declare=not self._declared)
        return self._told(inference, bars_at)

    def _told(self, inference: Inference, bars_at: datetime) -> bool:
        if inference.timing == "passed":
            self._tell.skipped(inference.bar)
            return False
        self._declared = True
        self._tell.evaluated(inference, bars_at)
        return True

    def _go_back(self, bar: datetime, done: datetime | None, *, published: bool) -> None:
        """Evaluate what was missed, once what is newest has been said."""
        if not published or done is None or done + self._timeframe.delta < bar:
            self._catch_up.behind = True
        if published:
            self._catch_up.run(bar)

    def _wait_until_able(self, bar: datetime, error: ConfigError) -> bool:
        """Wait a little for what is missing, a model or history; whoever is due to leave by time still does."""
        self._tell.waits(
            "waiting_for_history" if isinstance(error, TooFewBars) else "waiting_for_model", str(error)
        )
        self._catch_up.behind = True
        if self._left != bar:
            self._leave_in_time(bar)
        return self._pause_alive(_NAP_SECONDS)

    def _leave_in_time(self, bar: datetime) -> None:
        try:
            leaving = leave_in_time(self._session, bar)
        except BusUnavailable as error:
            self._tell.bus_away(bar, error)
            return
        self._left = bar
        if leaving is not None:
            self._tell.evaluated(leaving, self._session.clock.now())

    def _pause_alive(self, seconds: float) -> bool:
        self._tell.beat()
        return self._pause(seconds)
