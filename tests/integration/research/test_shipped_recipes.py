"""The shipped recipes, from bars on a real bus to signals on it; made smaller, and the same again bit for bit."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.bar_arrays import FIELDS, BarArrays
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.resample import resample
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.factors import Vocabulary, factor_sets
from quantbus_research.settings import Recipe, find_recipe, load_recipe
from quantbus_research.workflows import open_session
from quantbus_research.workflows.runs import Done, Outcome, RunOptions, RunReport, Surroundings, run_graph
from tests.unit.research.panels import make_series

pytestmark = [pytest.mark.integration, pytest.mark.proof, pytest.mark.timeout(600)]
HOUR = Timeframe.parse("1h")
COINS = ("BTC", "DOGE", "ETH", "LTC", "SOL", "XRP")
START = datetime.fromisoformat("2025-01-01T00:00:00+00:00")
SMALLER: Mapping[str, Sequence[str]] = {
    "trend_1h": ("nodes.bars.train_bars=4000", "nodes.bars.min_train_bars=3000"),
    "momentum_1h": (
        "nodes.bars.train_bars=4000",
        "nodes.bars.min_train_bars=3000",
        "nodes.best.hold=2",
    ),
    "calibrated_1h": (
        "nodes.bars.train_bars=4000",
        "nodes.bars.min_train_bars=3000",
        "nodes.model.train_bars=1500",
        "nodes.model.retrain_bars=720",
        "nodes.model.rounds=15",
        "nodes.model.min_rows_in_leaf=50",
    ),
    "alpha158_4h": (
        "nodes.bars.train_bars=1000",
        "nodes.bars.min_train_bars=700",
        "nodes.model.train_bars=400",
        "nodes.model.valid_bars=100",
        "nodes.model.retrain_bars=200",
        "nodes.model.arguments.num_boost_round=15",
        "nodes.best.hold=2",
    ),
}
ALL = sorted(SMALLER)


class Silent:
    """Hears how a run goes on, and remembers what became of each node."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}

    def started(self, name: str) -> None:
        """Hear that a node is being worked on."""

    def ended(self, name: str, done: Done, rows: int) -> None:
        """Hear what became of a node."""
        self.outcomes[name] = done.outcome


def smaller(name: str, *sets: str) -> Recipe:
    pairs = json.dumps([f"{coin}/USDT" for coin in COINS])
    return load_recipe(
        find_recipe(name),
        factors=Vocabulary(),
        sets=factor_sets(),
        overrides=[f"market.pairs={pairs}", *SMALLER[name], *sets],
    )


def made_up() -> dict[str, pd.DataFrame]:
    return {
        coin: make_series(4_000, seed=seed, start=START, timeframe=HOUR, level=10.0 * (seed + 1))
        for seed, coin in enumerate(COINS)
    }


def recorded(folder: Path) -> dict[str, pd.DataFrame]:
    frames = {
        coin: pd.read_parquet(folder / f"ohlcv/1h/OKX_{coin}USDT_1h.parquet").set_index("ts")
        for coin in COINS
    }
    return {coin: frame[frame.index >= pd.Timestamp(START)].iloc[:4_000] for coin, frame in frames.items()}


def store(connection: Connection, bars: Mapping[str, pd.DataFrame], timeframe: Timeframe) -> datetime:
    """Store the bars, made coarser where that is asked; return when the newest closes."""
    for coin, frame in bars.items():
        times = pd.DatetimeIndex(frame.index).as_unit("ms").asi8
        hours = BarArrays(times, {name: frame[name].to_numpy(np.float64) for name in FIELDS})
        made = resample(hours, HOUR, timeframe)
        symbol = Instrument.from_pair("OKX", f"{coin}/USDT").symbol
        values = [made.columns[name] for name in FIELDS]
        columns = CandleColumns(symbol, timeframe, "test", made.open_times_ms, *values)
        CandleWriter(connection).write_columns(columns)
    newest: pd.Timestamp = max(frame.index.max() for frame in bars.values())
    return (newest + HOUR.delta).to_pydatetime()


def run(
    recipe: Recipe, connection: Connection, home: Path, as_of: datetime, options: RunOptions | None = None
) -> tuple[RunReport, Silent]:
    heard, clock = Silent(), SystemClock()
    where = Surroundings(home, clock, lambda: open_session(recipe, connection, home, clock))
    return run_graph(recipe, where, heard, as_of=as_of, options=options), heard


@pytest.mark.parametrize("name", ALL)
def test_a_cold_run_with_other_threads_makes_the_same_bits(
    name: str, connection: Connection, tmp_path: Path
) -> None:
    sets = ["nodes.publish.when_refused='publish'", "nodes.publish.history_bars=5000"]
    recipe = smaller(name, *sets)
    as_of = store(connection, made_up(), recipe.market.bars)
    first, _ = run(recipe, connection, tmp_path / "one", as_of)
    threads = {"calibrated_1h": ["nodes.model.threads=2"]}.get(name, [])
    second, heard = run(
        smaller(name, *sets, *threads), connection, tmp_path / "two", as_of, RunOptions(jobs=2, cold=True)
    )
    assert set(heard.outcomes.values()) == {Outcome.DONE}
    assert first.manifest.manifest_hash == second.manifest.manifest_hash
    assert first.manifest.essence == second.manifest.essence
    third, warm = run(recipe, connection, tmp_path / "one", as_of)
    assert third.manifest.manifest_hash == first.manifest.manifest_hash
    assert warm.outcomes["backtest"] is Outcome.CACHED
    _stands_on_the_bus(connection, recipe, first, third)


def _stands_on_the_bus(connection: Connection, recipe: Recipe, first: RunReport, again: RunReport) -> None:
    rows = first.artefacts["publish"].table("signals")
    reader, bars = SignalReader(connection), recipe.market.bars
    found = {
        (row.signal.pair, row.signal.ts): row
        for pair in recipe.market.pairs
        for row in reader.range(
            recipe.strategy_id, bars, pair, START, datetime.fromisoformat("2027-01-01T00:00:00+00:00")
        )
    }
    assert len(found) == len(rows) > 0
    assert {row.signal.origin for row in found.values()} == {"backfill"}
    assert {row.version for row in found.values()} == {1}
    published = again.artefacts["publish"].facts["published"]
    assert isinstance(published, dict)
    assert published["unchanged"] == len(rows)


@pytest.mark.parametrize("name", ["trend_1h", "calibrated_1h"])
def test_on_recorded_bars_the_report_claims_no_more_than_its_figures(
    name: str, connection: Connection, shared_data: Path, tmp_path: Path
) -> None:
    recipe = smaller(name)
    as_of = store(connection, recorded(shared_data), recipe.market.bars)
    report, _ = run(recipe, connection, tmp_path, as_of)
    told = json.loads(report.artefacts["report"].texts["report.json"])
    gained, free = told["result"]["total_return"], told["at_other_costs"]["no costs"]["total_return"]
    if gained <= 0:
        expected = "does not survive its costs" if free > 0 else "There is no edge"
    else:
        expected = "may be luck" if told["deflated_sharpe"] < 0.95 else "luck is an unlikely reason"
    assert expected in told["verdict"]
    refused = [gate["gate"] for gate in told["gates"] if not gate["passed"]]
    assert report.refused is bool(refused)
    published = report.artefacts["publish"].facts["published"]
    assert (published is None) is bool(refused)
    assert len(told["per_month"]) >= 3
