"""The worker's composition root: recipe in, loop out."""

import logging
import os
import signal
import sys
import threading
from concurrent.futures import Future
from importlib.metadata import version
from types import FrameType
from typing import NoReturn

import structlog

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.runtime.logging import configure
from quantbus_contracts.runtime.metrics import new_registry, serve_metrics
from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
from quantbus_research.metrics import WorkerMetrics
from quantbus_research.settings import Recipe, WorkerSettings
from quantbus_research.worker.loop import BarLoop
from quantbus_research.worker.pulse import Pulse
from quantbus_research.workflows import open_session

__all__ = ["run_worker"]

# Below the two seconds within which a process has to stop, also while the bus does not answer.
_BUS_TIMEOUT_SECONDS = 1.5
_STOP_SECONDS = 1.6
_log = structlog.get_logger(__name__)


def run_worker(
    recipe: Recipe, *, metrics_port: int = 0, max_bars: int | None = None, retrain: bool = False
) -> int:
    """Run the loop of ``recipe`` until SIGTERM or SIGINT, or for ``max_bars`` bars; return the bars evaluated."""
    settings = load_settings(HomeSettings)
    configure("research", level=settings.log_level, json=settings.log_json)
    registry = new_registry("research", version("quantbus-research"))
    metrics = WorkerMetrics(registry)
    if metrics_port:
        serve_metrics(registry, metrics_port, host=load_settings(WorkerSettings).metrics_host)
    clock = SystemClock()
    connection = connect(load_settings(MongoSettings), app="research", timeout_seconds=_BUS_TIMEOUT_SECONDS)
    stop = threading.Event()
    loop = BarLoop(
        open_session(recipe, connection, settings.home, clock),
        metrics=metrics,
        pulse=Pulse(HeartbeatStore(connection), clock, instance=recipe.strategy_id),
        pause=stop.wait,
        max_bars=max_bars,
        retrain=retrain,
    )
    _log.info("worker_started", strategy_id=recipe.strategy_id, pairs=list(recipe.market.pairs))
    evaluated = _run_until_stopped(loop, stop)
    _log.info("worker_stopped", bars=evaluated)
    if stop.is_set():
        _leave_at_once()
    connection.close()
    return evaluated


def _leave_at_once() -> NoReturn:
    """End the process; dismantling pandas and LightGBM first would take another second or two."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _run_until_stopped(loop: BarLoop, stop: threading.Event) -> int:
    """Run the loop beside the main thread, which then can stop in time whatever the loop is busy with.

    A training that is cut off leaves nothing behind: models are stored whole or not at all.
    """
    outcome: Future[int] = Future()

    def work() -> None:
        try:
            outcome.set_result(loop.run())
        except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
            outcome.set_exception(error)

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {name: signal.signal(name, ask_to_stop) for name in (signal.SIGTERM, signal.SIGINT)}
    worker = threading.Thread(target=work, name="bar-loop", daemon=True)
    try:
        worker.start()
        while worker.is_alive() and not stop.wait(0.1):
            pass
        worker.join(_STOP_SECONDS)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    return outcome.result() if outcome.done() else 0
