"""What a run works with: its recipe, where it reads, where it publishes, where models lie, what time it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from quantbus_contracts.clock import Clock
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.frames import candle_frame
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.schema import Candle, PublishedSignal, PublishRun
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import FrameSource
from quantbus_research.publish import SignalSink, open_sink
from quantbus_research.registry import ModelRegistry
from quantbus_research.settings import Recipe

__all__ = ["Candles", "PublishedHistory", "Session", "open_session"]


class Candles(Protocol):
    """The part of the candle reader that says which bars are there."""

    def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> Sequence[Candle]:
        """Return the bars that open in ``[start, end)``, oldest first; with ``limit`` the newest that many."""
        ...

    def open_times(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> Sequence[datetime]:
        """Return the open times of stored bars in ``[start, end)``, oldest first."""
        ...


class PublishedHistory(Protocol):
    """The part of the signal reader that says what was published and evaluated."""

    def range(
        self, strategy_id: str, timeframe: Timeframe, pair: str, start: datetime, end: datetime
    ) -> list[PublishedSignal]:
        """Return a pair's signals with ``ts`` in ``[start, end)``, oldest first."""
        ...

    def runs(
        self, strategy_id: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[PublishRun]:
        """Return the evaluations with ``ts`` in ``[start, end)``, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """The surroundings of a run; built once, passed down."""

    recipe: Recipe
    frames: FrameSource
    candles: Candles
    history: PublishedHistory
    sink: SignalSink
    registry: ModelRegistry
    clock: Clock


def open_session(recipe: Recipe, connection: Connection, home: Path, clock: Clock) -> Session:
    """Return a session on the bus, with its models under ``home``."""
    reader = CandleReader(connection)
    return Session(
        recipe=recipe,
        frames=partial(candle_frame, reader),
        candles=reader,
        history=SignalReader(connection),
        sink=open_sink(connection, recipe.strategy_id),
        registry=ModelRegistry(home / "models"),
        clock=clock,
    )
