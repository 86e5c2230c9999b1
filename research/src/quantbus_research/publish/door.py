"""The only way from research to the bus."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.ports import SignalReader
from quantbus_contracts.schema import PublishReport, PublishRun, Signal, Strategy
from quantbus_contracts.timeframe import Timeframe

__all__ = ["SignalSink", "open_sink", "standing_live"]


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


def standing_live(
    strategy_id: str, history: SignalReader, timeframe: Timeframe, pairs: Sequence[str], bar: datetime
) -> frozenset[str]:
    """Return the pairs about whose bar something was said live: that is never said again otherwise afterwards."""
    found = (
        pair
        for pair in pairs
        for row in history.range(strategy_id, timeframe, pair, bar, bar + timeframe.delta)
        if row.signal.origin == "live"
    )
    return frozenset(found)
