"""What a run works with: its recipe, where it reads, where it publishes, where models lie, what time it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from quantbus_contracts import ports
from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market import SNAPSHOTS, MarketData
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.gap_flags import GapSource
from quantbus_contracts.mongo.gaps import GapStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_research.dataset import FrameSource
from quantbus_research.publish import SignalSink, open_sink
from quantbus_research.registry import ModelRegistry
from quantbus_research.settings import Recipe, ShadowSettings

__all__ = ["Session", "Stage", "open_session", "shadow_id"]

Stage = Literal["candidate", "staging", "production"]
_LONGEST_ID = 64


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
    speaks_as: str | None = None
    """Another strategy id than the recipe's own; models and stages stay those of the recipe."""
    from_stage: Stage | None = None
    """Another stage than the recipe's own."""

    @property
    def strategy_id(self) -> str:
        """Under which signals go out and positions are read."""
        return self.speaks_as or self.recipe.strategy_id

    @property
    def stage(self) -> Stage:
        """Whose model speaks."""
        return self.from_stage or self.recipe.publish.stage


def open_session(
    recipe: Recipe, connection: Connection, home: Path, clock: Clock, *, shadow: ShadowSettings | None = None
) -> Session:
    """Return a session on the bus, with its models and snapshots under ``home``; with ``shadow`` that of the shadow.

    Raises
    ------
    ConfigError
        If the shadow would speak under the recipe's own id.
    """
    speaks_as = shadow_id(recipe, shadow) if shadow else None
    return Session(
        recipe=recipe,
        frames=MarketData(connection).frame,
        candles=CandleReader(connection),
        gaps=GapStore(connection),
        history=SignalReader(connection),
        sink=open_sink(connection, speaks_as or recipe.strategy_id),
        registry=ModelRegistry(home / "models"),
        snapshots=home / SNAPSHOTS,
        clock=clock,
        speaks_as=speaks_as,
        from_stage=shadow.stage if shadow else None,
    )


def shadow_id(recipe: Recipe, shadow: ShadowSettings) -> str:
    """Return the strategy id of a recipe's shadow.

    Raises
    ------
    ConfigError
        If it is the recipe's own, or longer than an id may be.
    """
    named = shadow.strategy_id or f"{recipe.strategy_id}.shadow"
    if named == recipe.strategy_id or len(named) > _LONGEST_ID:
        raise ConfigError(
            f"expected a strategy id for the shadow of {recipe.strategy_id} other than its own, of at most "
            f"{_LONGEST_ID} characters, found {named!r}; name one with publish.shadow.strategy_id"
        )
    return named
