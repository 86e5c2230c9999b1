"""Kinds of nodes that do next to nothing, a recipe of them, and a run of it as a process of its own."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.testing import FrozenClock
from quantbus_research.factors import catalogue
from quantbus_research.settings import Recipe, RecipeSource, load_recipe
from quantbus_research.settings.nodes import (
    KINDS,
    ArtefactType,
    BacktestSettings,
    DataSettings,
    FactorSettings,
    GateSettings,
    LabelSettings,
    ModelSettings,
    NodeSettings,
    PolicySettings,
    PublishSettings,
)
from quantbus_research.workflows import Session
from quantbus_research.workflows.nodes import (
    AS_OF,
    PASSED,
    SNAPSHOT,
    Artefact,
    Context,
    Inputs,
    NodeKind,
    Reach,
)
from quantbus_research.workflows.runs import Done, RunOptions, RunReport, Surroundings, run_graph
from tests.unit.research.panels import MINUTE, START, make_panel

BARS = 300
NOW = START + BARS * MINUTE.delta + timedelta(seconds=20)
KILL = "QUANTBUS_TEST_KILLS_AT"
"""Names a file; the toy model ends its process the hard way while it is there."""
RECIPE = """
description = "Toys."
strategy_id = "toys"
[market]
venue = "BINANCE"
pairs = ["BTC/USDT", "ETH/USDT"]
timeframe = "1m"
[nodes.bars]
kind = "data"
train_bars = 300
min_train_bars = 100
[nodes.seen]
kind = "factors"
inputs = ["bars"]
names = ["log_return_1", "rsi_14"]
[nodes.rises]
kind = "label"
inputs = ["bars"]
horizon_bars = 2
[nodes.model]
kind = "model"
inputs = ["seen", "rises"]
retrain_bars = 30
[nodes.policy]
kind = "rule"
inputs = ["model"]
thresholds = "absolute"
enter = 0.1
exit = 0.0
[nodes.trades]
kind = "backtest"
inputs = ["policy", "bars"]
[nodes.gates]
kind = "gates"
inputs = ["trades"]
[nodes.publish]
kind = "publish"
inputs = ["policy", "gates"]
"""


def recipe(*overrides: str, text: str = RECIPE) -> Recipe:
    return load_recipe(
        RecipeSource("toys.toml", text), factors=frozenset(catalogue()), overrides=list(overrides)
    )


@dataclass
class Ears:
    """Hears a run."""

    heard: dict[str, Done] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)

    def started(self, name: str) -> None:
        self.begun.append(name)

    def ended(self, name: str, done: Done, rows: int) -> None:
        self.heard[name] = done

    def outcomes(self) -> dict[str, str]:
        return {name: str(done.outcome) for name, done in self.heard.items()}


def _bars(inputs: Inputs, settings: DataSettings, context: Context) -> Artefact:
    panel = make_panel(settings.train_bars)
    end = MINUTE.close_of(panel.index.get_level_values(1).max())
    return Artefact(
        ArtefactType.BARS, {"bars": panel}, facts={SNAPSHOT: f"snapshot-{len(panel)}", AS_OF: end.isoformat()}
    )


def _column(inputs: Inputs, wanted: ArtefactType, table: str) -> pd.Series:
    return inputs.one(wanted).table(table).iloc[:, 0]


def _factors(inputs: Inputs, settings: FactorSettings, context: Context) -> Artefact:
    opened = _column(inputs, ArtefactType.BARS, "bars")
    return Artefact(ArtefactType.FACTORS, {"factors": pd.DataFrame({"f": np.log(opened)})})


def _label(inputs: Inputs, settings: LabelSettings, context: Context) -> Artefact:
    opened = _column(inputs, ArtefactType.BARS, "bars")
    return Artefact(ArtefactType.LABEL, {"label": pd.DataFrame({"l": opened.shift(-settings.horizon_bars)})})


def _part(values: np.ndarray, number: int) -> float:
    return float(np.linalg.norm(values[number::3]))


def _model(inputs: Inputs, settings: ModelSettings, context: Context) -> Artefact:
    marker = os.environ.get(KILL)
    if marker is not None and Path(marker).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    seen = _column(inputs, ArtefactType.FACTORS, "factors")
    parts = context.each(partial(_part, seen.to_numpy()), range(3))
    scores = np.tanh(seen - sum(parts) / settings.rounds)
    return Artefact(
        ArtefactType.SCORES, {"scores": pd.DataFrame({"score": scores})}, texts={"model.txt": f"{parts}\n"}
    )


def _rule(inputs: Inputs, settings: PolicySettings, context: Context) -> Artefact:
    scores = _column(inputs, ArtefactType.SCORES, "scores")
    return Artefact(ArtefactType.TARGETS, {"targets": pd.DataFrame({"t": (scores > settings.enter) * 1.0})})


def _backtest(inputs: Inputs, settings: BacktestSettings, context: Context) -> Artefact:
    held = _column(inputs, ArtefactType.TARGETS, "targets")
    return Artefact(ArtefactType.BACKTEST, facts={"worth": settings.capital + float(held.sum())})


def _gates(inputs: Inputs, settings: GateSettings, context: Context) -> Artefact:
    worth = inputs.one(ArtefactType.BACKTEST).facts["worth"]
    assert isinstance(worth, float)
    return Artefact(ArtefactType.VERDICTS, facts={PASSED: worth > settings.information_ratio_above})


@dataclass
class Board:
    """Where the toys publish."""

    published: list[str] = field(default_factory=list)

    def publish(self, inputs: Inputs, settings: PublishSettings, context: Context) -> Artefact:
        held = _column(inputs, ArtefactType.TARGETS, "targets")
        passed = inputs.one(ArtefactType.VERDICTS).facts[PASSED]
        if passed and not context.dry:
            self.published.append(context.recipe.strategy_id)
        rows = pd.DataFrame(
            {"pair": list(context.recipe.market.pairs), "held": [held.iloc[0], held.iloc[-1]]}
        )
        return Artefact(ArtefactType.SIGNALS, {"signals": rows}, facts={"times": len(self.published)})


def toy_kinds(board: Board) -> dict[str, NodeKind]:
    plain: dict[type[NodeSettings], Callable[..., Artefact]] = {
        FactorSettings: _factors,
        LabelSettings: _label,
        ModelSettings: _model,
        PolicySettings: _rule,
        BacktestSettings: _backtest,
        GateSettings: _gates,
    }
    kinds = [NodeKind(settings, run) for settings, run in plain.items()]
    kinds += [
        NodeKind(DataSettings, _bars, reach=Reach.READS),
        NodeKind(PublishSettings, board.publish, reach=Reach.WRITES),
    ]
    assert {kind.name for kind in kinds} <= KINDS.keys()
    return {kind.name: kind for kind in kinds}


def nowhere() -> Session:
    raise ConfigError("expected toys to need no session")


@dataclass
class Place:
    """A home, a board and a clock; `run` runs the toys there."""

    home: Path
    board: Board = field(default_factory=Board)
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOW))

    def surroundings(self, **other: NodeKind) -> Surroundings:
        return Surroundings(self.home, self.clock, nowhere, {**toy_kinds(self.board), **other})

    def run(self, toys: Recipe | None = None, **options: object) -> tuple[RunReport, Ears]:
        ears = Ears()
        chosen = replace(RunOptions(), **options)  # type: ignore[arg-type]
        return run_graph(toys or recipe(), self.surroundings(), ears, options=chosen), ears


def main(home: str, jobs: str, *words: str) -> None:
    """Run the toys and say the hash of what they made; with ``wait`` only once a file ``go`` is there."""
    until = time.monotonic() + 240
    while "wait" in words and not (Path(home) / "go").exists() and time.monotonic() < until:
        time.sleep(0.01)
    report, ears = Place(Path(home)).run(jobs=int(jobs), resume="resume" in words)
    told = ",".join(f"{name}={outcome}" for name, outcome in sorted(ears.outcomes().items()))
    sys.stdout.write(f"{report.manifest.manifest_hash} {report.manifest.run_id} {report.resumed} {told}\n")
