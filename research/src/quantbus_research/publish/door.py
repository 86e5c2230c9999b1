"""The only way from research to the bus."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.ports import SignalReader
from quantbus_contracts.schema import Origin, PublishReport, PublishRun, Signal, Strategy
from quantbus_contracts.timeframe import Timeframe

__all__ = ["SignalSink", "open_sink", "without_live_rows"]


class SignalSink(Protocol):
    """Where signals go; `SignalBus` is one."""

    def publish(self, rows: Sequence[Signal]) -> PublishReport:
        """Publish signals; the same rows again change nothing."""
        ...

    def declare(self, strategy: Strategy, *, first_only: bool = False) -> None:
        """Store or replace a strategy's declaration; with ``first_only`` one that stands is left as it is."""
        ...

    def record_run(self, run: PublishRun) -> None:
        """Note that a strategy was evaluated for a bar."""
        ...


def open_sink(connection: Connection, strategy_id: str) -> SignalSink:
    """Return the bus as a sink, signed with the strategy's name."""
    return SignalBus(connection, publisher=f"research/{strategy_id}")


def without_live_rows(
    signals: Sequence[Signal], history: SignalReader, timeframe: Timeframe, bar: datetime, origin: Origin
) -> list[Signal]:
    """Drop signals that would turn what was said live into something said afterwards."""
    if origin == "live":
        return list(signals)
    kept = []
    for signal in signals:
        rows = history.range(signal.strategy_id, timeframe, signal.pair, bar, bar + timeframe.delta)
        if not any(row.signal.origin == "live" for row in rows):
            kept.append(signal)
    return kept
