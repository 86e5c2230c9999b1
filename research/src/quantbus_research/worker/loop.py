"""The always-on loop: wake at bar close, wait for the bar, infer, publish; then the next one."""

from datetime import datetime, timedelta

import structlog

from quantbus_contracts.errors import ArtefactError, BusUnavailable
from quantbus_contracts.runtime.metrics import PUBLISH_OUTCOMES
from quantbus_contracts.schema import PublishReport
from quantbus_research.dataset import TooFewBars
from quantbus_research.metrics import WorkerMetrics
from quantbus_research.worker.pulse import Pulse
from quantbus_research.workflows import (
    Inference,
    Pause,
    SawTheFuture,
    Session,
    Trained,
    infer,
    train,
    training_end,
    wait_for_bar,
)

__all__ = ["BarLoop"]

# A bar is final at its close; a little later, since clocks differ.
_SETTLE = timedelta(milliseconds=100)
_NAP_SECONDS = 1.0
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.25, 5.0
_GIVE_UP_AFTER_FAILURES = 10
_log = structlog.get_logger(__name__)


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
    ) -> None:
        """Work in ``session``; ``pause(seconds)`` waits and tells whether to stop."""
        self._session = session
        self._metrics = metrics
        self._pulse = pulse
        self._pause = pause
        self._max_bars = max_bars
        self._retrain = retrain
        self._timeframe = session.recipe.market.bars
        self._model: tuple[datetime, Trained] | None = None
        self._declared = False
        self._state = "starting"
        self._told_to_wait = False

    def run(self) -> int:
        """Go on until asked to stop, or until ``max_bars`` bars are evaluated; return how many were."""
        evaluated, failures = 0, 0
        done: datetime | None = None
        while self._max_bars is None or evaluated < self._max_bars:
            bar = self._await_close(after=done)
            if bar is None:
                break
            try:
                published = self._evaluate(bar, previous=done)
            except TooFewBars as error:
                if self._wait_for_history(str(error)):
                    break
                continue
            except ArtefactError:
                raise  # a model that was tampered with does not mend itself
            except BusUnavailable as error:
                self._metrics.bars.labels(outcome="failed").inc()
                _log.error("bar_given_up", bar=bar.isoformat(), error=str(error))
            except Exception:
                failures += 1
                self._metrics.bars.labels(outcome="failed").inc()
                _log.exception("bar_failed", bar=bar.isoformat(), failures=failures)
                if failures >= _GIVE_UP_AFTER_FAILURES:
                    raise
            else:
                failures = 0
                evaluated += published
            done = bar
        return evaluated

    def _await_close(self, after: datetime | None) -> datetime | None:
        """Return the newest closed bar, once it is newer than ``after``; None when asked to stop."""
        while True:
            self._beat()
            now = self._session.clock.now()
            bar = self._timeframe.last_closed(now)
            due = self._timeframe.close_of(bar) + _SETTLE
            if after is not None and after > bar + self._timeframe.delta:
                _log.warning("clock_set_back", newest_bar=bar.isoformat(), evaluated=after.isoformat())
                after = None  # bars of the real present are not to wait for those of a future that was none
            if after is not None and bar <= after:
                due += self._timeframe.delta
            if now >= due:
                return None if self._pause(0) else bar
            if self._pause(min(_NAP_SECONDS, (due - now).total_seconds())):
                return None

    def _evaluate(self, bar: datetime, previous: datetime | None) -> bool:
        """Publish what the bar says, as long as it is the newest; return whether it was evaluated."""
        closed = self._timeframe.close_of(bar)
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                inference = self._attempt(bar)
                break
            except BusUnavailable as error:
                self._metrics.bus_errors.inc()
                _log.warning("bus_unavailable", bar=bar.isoformat(), error=str(error))
                if self._session.clock.now() >= closed + self._timeframe.delta / 2 or self._pause(backoff):
                    raise
                backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)
        if inference is None:
            return False
        self._report(inference)
        self._catch_up(bar, previous)
        return True

    def _attempt(self, bar: datetime) -> Inference | None:
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
            return None
        if missing and not self._told_to_wait:
            _log.warning("bar_missing", bar=bar.isoformat(), pairs=[item.pair for item in missing])
        trained = self._model_for(bar)
        if self._timeframe.last_closed(session.clock.now()) > bar:
            self._metrics.bars.labels(outcome="skipped").inc()
            _log.warning("bar_skipped", bar=bar.isoformat(), why="a newer bar has closed; this one is stale")
            return None
        inference = infer(session, trained, bar, origin="live", declare=not self._declared)
        self._declared = True
        return inference

    def _model_for(self, bar: datetime) -> Trained:
        end = training_end(self._session.recipe, bar)
        follows_stage = self._session.recipe.publish.stage != "candidate"
        if self._model is not None and self._model[0] == end and not follows_stage:
            return self._model[1]
        self._state = "training"
        trained = train(self._session, bar, retrain=self._retrain)
        self._retrain = False
        before, self._model = self._model, (end, trained)
        if follows_stage and before is not None and before[1].manifest.model_id == trained.manifest.model_id:
            return trained  # asked for at every bar, so that a promotion or rollback is heard at the next
        self._told_to_wait = False
        self._metrics.trainings.labels(outcome="reused" if trained.reused else "trained").inc()
        _log.info(
            "model_ready",
            model_id=trained.manifest.model_id,
            reused=trained.reused,
            data_until=end.isoformat(),
            **{name: value for name, value in trained.manifest.metrics.items()},
        )
        return trained

    def _report(self, inference: Inference) -> None:
        now = self._session.clock.now()
        delay = (now - self._timeframe.close_of(inference.bar)).total_seconds()
        self._count(inference.report)
        degraded = inference.run.degraded
        self._metrics.bars.labels(outcome="degraded" if degraded else "evaluated").inc()
        if inference.signals and inference.origin == "live":
            self._metrics.publish_delay.observe(max(0.0, delay))
            self._metrics.last_signal.labels(self._session.recipe.strategy_id).set(now.timestamp())
        _log.info(
            "bar_evaluated",
            bar=inference.bar.isoformat(),
            origin=inference.origin,
            delay_seconds=round(delay, 3),
            said={verdict.view.pair: verdict.action or "nothing" for verdict in inference.verdicts},
            degraded=degraded,
        )
        for rejection in inference.report.rejections:
            _log.error(
                "signal_rejected", field=rejection.field, value=rejection.value, reason=rejection.reason
            )
        self._state = "publishing"
        self._beat(force=True, bar=inference.bar.isoformat())

    def _count(self, report: PublishReport) -> None:
        for outcome in PUBLISH_OUTCOMES:
            self._metrics.signals_published.labels(outcome=outcome).inc(getattr(report, outcome))

    def _catch_up(self, bar: datetime, previous: datetime | None) -> None:
        """Evaluate bars that were missed before ``bar`` as backfill, while no newer bar waits."""
        session, recipe = self._session, self._session.recipe
        reach = recipe.publish.catch_up_bars * self._timeframe.delta
        if not reach or (previous is not None and previous + self._timeframe.delta >= bar):
            return
        start = bar - reach
        known = {run.ts for run in session.history.runs(recipe.strategy_id, self._timeframe, start, bar)}
        for missed in self._timeframe.range(start, bar):
            if missed in known:
                continue
            if self._pause(0) or self._timeframe.last_closed(session.clock.now()) > bar:
                return
            try:
                trained = train(session, missed)
            except (TooFewBars, SawTheFuture):
                continue
            inference = infer(session, trained, missed, origin="backfill", declare=False)
            self._count(inference.report)
            _log.info("bar_caught_up", bar=missed.isoformat(), signals=len(inference.signals))

    def _wait_for_history(self, told: str) -> bool:
        if not self._told_to_wait:
            _log.warning("waiting_for_history", why=told)
        self._told_to_wait = True
        self._state = "waiting_for_history"
        self._beat()
        return self._pause(_NAP_SECONDS)

    def _pause_alive(self, seconds: float) -> bool:
        self._beat()
        return self._pause(seconds)

    def _beat(self, *, force: bool = False, **detail: str) -> None:
        strategy_id = self._session.recipe.strategy_id
        self._pulse.tick(force=force, strategy_id=strategy_id, state=self._state, **detail)
