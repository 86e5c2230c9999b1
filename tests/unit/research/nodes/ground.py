"""Small recipes, and their nodes run one after the other without a runner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from quantbus_contracts.testing import FakeCandleStore, FakeSignalStore, FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.factors import Vocabulary, factor_sets
from quantbus_research.registry import ModelRegistry
from quantbus_research.settings import Recipe, RecipeSource, levels, load_recipe
from quantbus_research.workflows import Session
from quantbus_research.workflows.nodes import KINDS, Artefact, Context, Inputs
from tests.unit.research.panels import START, make_series, panel_of
from tests.unit.research.sessions import FakeGaps, FakeSink

HOUR = Timeframe.parse("1h")
NAMES = ("ADA", "BTC", "ETH", "SOL")
HEAD = """
description = "a test"
strategy_id = "small"
[market]
venue = "BINANCE"
pairs = ["ADA/USDT", "BTC/USDT", "ETH/USDT", "SOL/USDT"]
timeframe = "1h"
[nodes.bars]
kind = "data"
train_bars = 5000
min_train_bars = 50
"""
RULE = """
[nodes.seen]
kind = "factors"
inputs = ["bars"]
names = ["log_return_5", "ema_distance_20"]
[nodes.score]
kind = "score"
inputs = ["seen"]
votes = [{ factor = "log_return_5", above = 0.0 }, { factor = "ema_distance_20", above = 0.0 }]
[nodes.policy]
kind = "rule"
inputs = ["score"]
thresholds = "absolute"
enter = 1.0
exit = -0.5
"""
CHOICE = """
[nodes.seen]
kind = "factors"
inputs = ["bars"]
names = ["log_return_24"]
[nodes.score]
kind = "score"
inputs = ["seen"]
weights = { log_return_24 = 1.0 }
scale = "rank"
[nodes.policy]
kind = "selection"
inputs = ["score"]
hold = 2
every_bars = 24
"""
MODEL = """
[nodes.seen]
kind = "factors"
inputs = ["bars"]
names = ["log_return_1", "rsi_14", "volume_zscore_30"]
[nodes.label]
kind = "label"
inputs = ["bars"]
horizon_bars = 3
[nodes.score]
kind = "model"
inputs = ["seen", "label"]
calibration = "sigmoid"
calibration_folds = 2
rounds = 5
leaves = 4
min_rows_in_leaf = 5
train_bars = 300
retrain_bars = 100
[nodes.policy]
kind = "rule"
inputs = ["score"]
thresholds = "absolute"
enter = 0.01
exit = -0.01
"""
TAIL = """
[nodes.backtest]
kind = "backtest"
inputs = ["policy", "bars"]
[nodes.gates]
kind = "gates"
inputs = ["bars", "score", "backtest"]
[nodes.publish]
kind = "publish"
inputs = ["policy", "gates"]
when_refused = "publish"
"""
REPORT = """
[nodes.report]
kind = "report"
inputs = ["backtest", "gates"]
"""


def recipe_of(*parts: str, sets: Sequence[str] = ()) -> Recipe:
    """Return the recipe that the parts make up."""
    source = RecipeSource("test", "".join((HEAD, *parts)))
    return load_recipe(source, factors=Vocabulary(), sets=factor_sets(), overrides=sets)


def hourly(bars: int = 600, *, names: Sequence[str] = NAMES) -> pd.DataFrame:
    """Return hourly bars of several coins."""
    series = {
        name: make_series(bars, seed=seed, timeframe=HOUR, level=10.0 * (seed + 1))
        for seed, name in enumerate(names)
    }
    return panel_of(**series)


@dataclass
class World:
    """Bars, a bus in memory, and a clock."""

    panel: pd.DataFrame
    home: Path
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(START))
    signals: FakeSignalStore = field(init=False)
    sink: FakeSink = field(init=False)

    def __post_init__(self) -> None:
        """Let the newest bar have just closed."""
        self.clock = FrozenClock(self.end)
        self.signals = FakeSignalStore(clock=self.clock)
        self.sink = FakeSink(self.signals)

    @property
    def end(self) -> datetime:
        """When the newest bar closes."""
        newest: pd.Timestamp = self.panel.index.get_level_values(1).max()
        return (newest + HOUR.delta).to_pydatetime()

    def session(self, recipe: Recipe) -> Session:
        """Return the surroundings of a run."""

        def frames(
            symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
        ) -> pd.DataFrame:
            opened = self.panel.index.get_level_values(1)
            asked = self.panel.index.get_level_values(0).isin(list(symbols))
            return self.panel[asked & (opened >= start) & (opened < end)]

        return Session(
            recipe=recipe,
            frames=frames,
            candles=FakeCandleStore(),
            gaps=FakeGaps(),
            history=self.signals,
            sink=self.sink,
            registry=ModelRegistry(self.home / "models"),
            snapshots=self.home / "snapshots",
            clock=self.clock,
        )

    def run(
        self, recipe: Recipe, *, as_of: datetime | None = None, jobs: int = 1, dry: bool = False
    ) -> Mapping[str, Artefact]:
        """Run all nodes, each after those it waits for."""
        made: dict[str, Artefact] = {}
        for name in (name for level in levels(recipe.nodes) for name in level):
            settings = recipe.nodes[name]
            kind = KINDS[settings.kind]
            inputs = Inputs(tuple(made[other] for other in settings.inputs))
            context = Context(recipe, as_of or self.end, jobs, dry, lambda: self.session(recipe))
            if kind.reach == "nowhere":
                context = Context(recipe.upstream(name), as_of or self.end, jobs)
            made[name] = kind.run(inputs, settings, context)
        return made


def same(first: Artefact, second: Artefact) -> bool:
    """Tell whether two artefacts are the same, bit for bit."""
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, second.tables[name], check_exact=True)
        numbers = table.select_dtypes(np.number).to_numpy()
        assert numbers.tobytes() == second.tables[name].select_dtypes(np.number).to_numpy().tobytes(), name
    return first.texts == second.texts and first.facts == second.facts
