"""Reads stored signals from the bus: one question per pair and range, over a connection that is closed behind it."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.schema import PublishedSignal
from quantbus_executor.settings import ExecutorSettings

__all__ = ["recall_from_bus"]

_SECONDS = 30.0
"""A backtest has time; without an answer it ends, because no signals and no bus must not look the same."""


def recall_from_bus(
    settings: ExecutorSettings, pair: str, start: datetime, end: datetime
) -> Sequence[PublishedSignal]:
    """Return a pair's signals with ``ts`` in ``[start, end)``, each with its history.

    Raises
    ------
    BusUnavailable
        If the bus does not answer.
    """
    connection = connect(
        settings.mongo,
        app=f"backtest-{settings.consumer_id}",
        timeout_seconds=_SECONDS,
        renamed={"crypto_signals": settings.collection},
    )
    with closing(connection):
        return SignalReader(connection).range(settings.strategy_id, settings.timeframe, pair, start, end)
