"""The worker's composition root: recipe in, loop out, and a second loop in its shadow."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import NoReturn

import structlog

from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.runtime.logging import configure
from quantbus_contracts.runtime.metrics import new_registry, serve_metrics
from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
from quantbus_research.metrics import WorkerMetrics
from quantbus_research.settings import Recipe, ShadowSettings, WorkerSettings
from quantbus_research.worker.loop import BarLoop
from quantbus_research.worker.pulse import Pulse
from quantbus_research.worker.timekeeping import Timekeeper
from quantbus_research.workflows import BusClock, Session, Stage, open_session, require_live, require_passed

__all__ = ["run_worker"]

# Below the two seconds within which a process has to stop, also while the bus does not answer.
_BUS_TIMEOUT_SECONDS = 1.5
_STOP_SECONDS = 1.6
# The shadow wakes later, so that what is traded upon is never kept waiting by what is not.
_SHADOW_AFTER_CLOSE = timedelta(seconds=1)
_log = structlog.get_logger(__name__)


def run_worker(
    recipe: Recipe,
    *,
    metrics_port: int = 0,
    max_bars: int | None = None,
    retrain: bool = False,
    shadow: Stage | None = None,
) -> int:
    """Run the loop of ``recipe`` until SIGTERM or SIGINT, or for ``max_bars`` bars; return the bars evaluated.

    Raises
    ------
    ConfigError
        If the recipe cannot live, its gates do not let it, or its shadow would speak under its own id.
    """
    require_live(recipe)
    settings = load_settings(HomeSettings)
    require_passed(recipe, settings.home)
    configure("research", level=settings.log_level, json=settings.log_json)
    registry = new_registry("research", version("quantbus-research"))
    connection = connect(load_settings(MongoSettings), app="research", timeout_seconds=_BUS_TIMEOUT_SECONDS)
    stop = threading.Event()
    making = _Making(connection, settings.home, WorkerMetrics(registry), stop)
    loop = making.loop(making.session(recipe), max_bars=max_bars, retrain=retrain)
    beside = _beside(recipe, shadow)
    second = None if beside is None else making.shadow(making.session(recipe, beside))
    if metrics_port:
        serve_metrics(registry, metrics_port, host=load_settings(WorkerSettings).metrics_host)
    _log.info("worker_started", strategy_id=recipe.strategy_id, pairs=list(recipe.market.pairs))
    evaluated = _run_until_stopped(loop, second, stop)
    _log.info("worker_stopped", bars=evaluated)
    if stop.is_set():
        _leave_at_once()
    connection.close()
    return evaluated


def _beside(recipe: Recipe, stage: Stage | None) -> ShadowSettings | None:
    """Return the recipe's shadow, or one that is asked for; the recipe's name for it stands."""
    told = recipe.publish.shadow
    if stage is None:
        return told
    return ShadowSettings(stage=stage, strategy_id=None if told is None else told.strategy_id)


class _Making:
    """Makes loops on one connection that stop together."""

    def __init__(
        self, connection: Connection, home: Path, metrics: WorkerMetrics, stop: threading.Event
    ) -> None:
        self._connection, self._home, self._metrics, self._stop = connection, home, metrics, stop
        self._clock = BusClock(connection.server_now)
        self._time = Timekeeper(self._clock, metrics)

    def session(self, recipe: Recipe, shadow: ShadowSettings | None = None) -> Session:
        return open_session(recipe, self._connection, self._home, self._clock, shadow=shadow)

    def loop(self, session: Session, *, max_bars: int | None, retrain: bool) -> BarLoop:
        return BarLoop(
            session,
            metrics=self._metrics,
            pulse=self._pulse(session),
            pause=self._stop.wait,
            max_bars=max_bars,
            retrain=retrain,
            set_clock=self._time.keep,
        )

    def shadow(self, session: Session) -> BarLoop:
        return BarLoop(
            session,
            metrics=self._metrics,
            pulse=self._pulse(session),
            pause=self._stop.wait,
            set_clock=self._time.keep,
            after_close=min(_SHADOW_AFTER_CLOSE, session.recipe.market.bars.delta / 30),
        )

    def _pulse(self, session: Session) -> Pulse:
        return Pulse(HeartbeatStore(self._connection), self._clock, instance=session.strategy_id)


def _leave_at_once() -> NoReturn:
    """End the process; dismantling pandas and LightGBM first would take another second or two."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _run_until_stopped(loop: BarLoop, shadow: BarLoop | None, stop: threading.Event) -> int:
    """Run the loop beside the main thread, which then can stop in time whatever the loop is busy with.

    A training that is cut off leaves nothing behind: models are stored whole or not at all.
    """

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {name: signal.signal(name, ask_to_stop) for name in (signal.SIGTERM, signal.SIGINT)}
    outcome: Future[int] = Future()
    worker = _started("bar-loop", loop.run, outcome)
    if shadow is not None:
        _started("shadow-loop", _told_if_it_ends(shadow), Future())
    try:
        while worker.is_alive() and not stop.wait(0.1):
            pass
        worker.join(_STOP_SECONDS)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    return outcome.result() if outcome.done() else 0


def _started(name: str, run: Callable[[], int], outcome: "Future[int]") -> threading.Thread:
    def work() -> None:
        try:
            outcome.set_result(run())
        except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
            outcome.set_exception(error)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _told_if_it_ends(shadow: BarLoop) -> Callable[[], int]:
    """Return the shadow's work; whatever ends it is told, and never ends the worker."""

    def run() -> int:
        try:
            return shadow.run()
        except Exception:
            _log.exception("shadow_ended")
            raise

    return run
