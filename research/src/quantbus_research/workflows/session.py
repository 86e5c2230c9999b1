"""What a run works with: its recipe, where it reads, where it publishes, where models lie, what time it is."""

from dataclasses import dataclass
from pathlib import Path

from quantbus_contracts import ports
from quantbus_contracts.clock import Clock
from quantbus_contracts.market import SNAPSHOTS, MarketData
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.gap_flags import GapSource
from quantbus_contracts.mongo.gaps import GapStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_research.dataset import FrameSource
from quantbus_research.publish import SignalSink, open_sink
from quantbus_research.registry import ModelRegistry
from quantbus_research.settings import Recipe

__all__ = ["Session", "open_session"]


@dataclass(frozen=True, slots=True)
class Session:
    """The surroundings of a run; built once, passed down."""

    recipe: Recipe
    frames: FrameSource
    candles: ports.CandleReader
    gaps: GapSource
    history: ports.SignalReader
    sink: SignalSink
    registry: ModelRegistry
    snapshots: Path
    """Where the bars are kept that models were trained on."""
    clock: Clock


def open_session(recipe: Recipe, connection: Connection, home: Path, clock: Clock) -> Session:
    """Return a session on the bus, with its models and snapshots under ``home``."""
    return Session(
        recipe=recipe,
        frames=MarketData(connection).frame,
        candles=CandleReader(connection),
        gaps=GapStore(connection),
        history=SignalReader(connection),
        sink=open_sink(connection, recipe.strategy_id),
        registry=ModelRegistry(home / "models"),
        snapshots=home / SNAPSHOTS,
        clock=clock,
    )
