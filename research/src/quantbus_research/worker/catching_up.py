"""Bars that were missed, evaluated afterwards: published as ``backfill``, which never trades."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from quantbus_contracts.errors import BusError, ConfigError
from quantbus_research.worker.reporting import Reporter
from quantbus_research.worker.speakers import Speakers
from quantbus_research.workflows import Session, infer

__all__ = ["CatchUp"]

_log = structlog.get_logger(__name__)


class CatchUp:
    """Goes back over what was missed, in the time that is left until the next bar closes."""

    def __init__(
        self, session: Session, speakers: Speakers, reporter: Reporter, *, should_stop: Callable[[], bool]
    ) -> None:
        """Reach back as far as the recipe says."""
        self._session = session
        self._speakers = speakers
        self._reporter = reporter
        self._should_stop = should_stop
        self._hopeless: set[datetime] = set()
        self._slowest = timedelta(0)
        self.behind = True
        """Whether bars may have been missed; nobody knows at the start."""

    def run(self, bar: datetime) -> None:
        """Evaluate what was missed before ``bar``, oldest first; what there is no time for waits for the next call."""
        reach = self._session.recipe.publish.catch_up_bars
        if not self.behind or not reach:
            return
        try:
            self.behind = not self._all_done(bar, reach)
        except BusError as error:
            _log.warning("catching_up_broke_off", why=str(error))

    def _all_done(self, bar: datetime, reach: int) -> bool:
        session, timeframe = self._session, self._session.recipe.market.bars
        start = bar - reach * timeframe.delta
        known = {run.ts for run in session.history.runs(session.strategy_id, timeframe, start, bar)}
        self._hopeless = {missed for missed in self._hopeless if missed >= start}
        for missed in timeframe.range(start, bar):
            if missed in known or missed in self._hopeless:
                continue
            if self._should_stop() or not self._has_time(bar):
                return False
            self._evaluate(missed)
        return True

    def _has_time(self, bar: datetime) -> bool:
        timeframe = self._session.recipe.market.bars
        next_close = timeframe.close_of(bar) + timeframe.delta
        return self._session.clock.now() + self._slowest < next_close

    def _evaluate(self, missed: datetime) -> None:
        begun = self._session.clock.now()
        try:
            speaker = self._speakers.before(missed)
            self._reporter.caught_up(infer(self._session, speaker, missed, origin="backfill", declare=False))
        except ConfigError as error:  # too little history, or a model that has seen what came after
            self._hopeless.add(missed)
            _log.info("bar_left_out", bar=missed.isoformat(), why=str(error))
        self._slowest = max(self._slowest, self._session.clock.now() - begun)
