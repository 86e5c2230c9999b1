"""What the worker tells about itself: log lines, figures, its sign of life."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from quantbus_contracts.runtime.metrics import PUBLISH_OUTCOMES
from quantbus_contracts.schema import PublishReport
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.metrics import BarOutcome, Hop, WorkerMetrics
from quantbus_research.worker.pulse import Pulse
from quantbus_research.workflows import Inference, Session, Trained

__all__ = ["Reporter"]

_LONGEST_WHY = 300
_log = structlog.get_logger(__name__)


class Reporter:
    """Tells what one loop does. What stays as it is, is told once; only the heartbeat repeats it."""

    def __init__(self, session: Session, metrics: WorkerMetrics, pulse: Pulse) -> None:
        """Speak for the strategy of ``session``."""
        self._session = session
        self._timeframe: Timeframe = session.recipe.market.bars
        self._strategy_id = session.strategy_id
        self._metrics = metrics
        self._pulse = pulse
        self._state = "starting"
        self._why: str | None = None
        self._told_missing = False
        metrics.waiting.labels(self._strategy_id).set(0)

    def beat(self, *, force: bool = False) -> None:
        """Give a sign of life, if the last one is old enough."""
        detail = {"why": self._why} if self._why else {}
        stored = self._pulse.tick(
            force=force,
            strategy_id=self._strategy_id,
            state=self._state,
            shadow_of=None if self._session.speaks_as is None else self._session.recipe.strategy_id,
            **detail,
        )
        if stored is not None:
            self._metrics.bus_up.set(stored)

    def state(self, state: str, why: str | None = None) -> bool:
        """Say what the worker is busy with; return whether that is news."""
        told = (state, why and why[:_LONGEST_WHY])
        is_news = told != (self._state, self._why)
        self._state, self._why = told
        self._metrics.waiting.labels(self._strategy_id).set(state.startswith("waiting_for_"))
        if is_news:
            self.beat(force=True)
        return is_news

    def waits(self, state: str, why: str) -> None:
        """Say for what the worker waits before it can speak."""
        if self.state(state, why):
            _log.warning(state, strategy_id=self._strategy_id, why=why)

    def bar(self, outcome: BarOutcome) -> None:
        """Count a bar."""
        self._metrics.bars.labels(self._strategy_id, outcome).inc()

    def bars_missing(self, bar: datetime, missing: Sequence[Instrument]) -> None:
        """Say whose bar has not come; once, while nothing else is told."""
        if missing and not self._told_missing:
            _log.warning("bar_missing", bar=bar.isoformat(), pairs=[item.pair for item in missing])
        self._told_missing = bool(missing)

    def skipped(self, bar: datetime) -> None:
        """Say that nothing was said about a bar since the next one has closed."""
        self.bar("skipped")
        _log.warning("bar_skipped", bar=bar.isoformat(), why="a newer bar has closed; this one is stale")

    def bus_away(self, bar: datetime, error: Exception) -> None:
        """Say that the bus did not answer."""
        self._metrics.bus_errors.labels(self._strategy_id).inc()
        self._metrics.bus_up.set(0)
        if self.state("bus_unavailable"):
            _log.warning("bus_unavailable", bar=bar.isoformat(), error=str(error))

    def model(self, trained: Trained) -> None:
        """Say which model speaks from now on."""
        outcome = "reused" if trained.reused else "trained"
        self._metrics.trainings.labels(self._strategy_id, outcome).inc()
        _log.info(
            "model_ready",
            strategy_id=self._strategy_id,
            model_id=trained.manifest.model_id,
            reused=trained.reused,
            **{name: value for name, value in trained.manifest.metrics.items()},
        )

    def evaluated(self, inference: Inference, bars_at: datetime) -> None:
        """Tell what was said about the newest bar; ``bars_at`` is when its bars were there."""
        now = self._session.clock.now()
        closed = self._timeframe.close_of(inference.bar)
        self._hops(closed, bars_at, inference.computed_at, now)
        self._count(inference.report)
        self._metrics.held_back.labels(self._strategy_id).inc(inference.held_back)
        # What was begun in time may have been confirmed too late.
        late = inference.timing != "in_time" or now > closed + self._timeframe.delta / 2
        self.bar("late" if late else "degraded" if inference.run.degraded else "evaluated")
        delay = (now - closed).total_seconds()
        if inference.signals:
            self._metrics.publish_delay.labels(self._strategy_id).observe(max(0.0, delay))
            self._metrics.last_signal.labels(self._strategy_id).set(now.timestamp())
        tell = _log.warning if late else _log.info
        tell(
            "bar_evaluated",
            strategy_id=self._strategy_id,
            bar=inference.bar.isoformat(),
            timing="late" if late and inference.timing == "in_time" else inference.timing,
            delay_seconds=round(delay, 3),
            said={verdict.view.pair: verdict.said for verdict in inference.verdicts},
            held_back=inference.held_back,
            degraded=inference.run.degraded,
        )
        self._refused(inference.report)
        self.state("publishing")
        self.beat(force=True)

    def caught_up(self, inference: Inference) -> None:
        """Tell what was said about a bar that was missed."""
        self._count(inference.report)
        self.bar("caught_up")
        _log.info(
            "bar_caught_up",
            strategy_id=self._strategy_id,
            bar=inference.bar.isoformat(),
            signals=len(inference.signals),
        )
        self._refused(inference.report)

    def _refused(self, report: PublishReport) -> None:
        for rejection in report.rejections:
            _log.error(
                "signal_rejected", field=rejection.field, value=rejection.value, reason=rejection.reason
            )

    def _hops(self, *moments: datetime) -> None:
        hops: tuple[Hop, ...] = ("close_to_bars", "bars_to_computed", "computed_to_available")
        for hop, begins, ends in zip(hops, moments[:-1], moments[1:], strict=True):
            seconds = max(0.0, (ends - begins).total_seconds())
            self._metrics.hops.labels(self._strategy_id, hop).observe(seconds)

    def _count(self, report: PublishReport) -> None:
        for outcome in PUBLISH_OUTCOMES:
            self._metrics.signals_published.labels(outcome=outcome).inc(getattr(report, outcome))
