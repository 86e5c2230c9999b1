"""Recipes against a real bus."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import ArtefactError
from quantbus_contracts.market import MarketData, Snapshot
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.mongo.strategies import StrategyStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import FrozenClock
from quantbus_research.factors import lookback_bars
from quantbus_research.settings import Recipe, shipped_recipes
from quantbus_research.workflows import OnceReport, open_session, run_once
from tests.unit.research.panels import MINUTE, START, make_panel
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration
BARS = 205
NOW = START + BARS * MINUTE.delta
ROOT = Path(__file__).resolve().parents[3]


def run(
    connection: Connection,
    home: Path,
    recipe: Recipe | None = None,
    *,
    as_of: datetime | None = None,
    retrain: bool = False,
) -> OnceReport:
    session = open_session(recipe or make_recipe(), connection, home, FrozenClock(NOW + timedelta(seconds=1)))
    return run_once(session, as_of=as_of, retrain=retrain)


def signals(connection: Connection, start: datetime = START) -> list[PublishedSignal]:
    reader = SignalReader(connection)
    return [
        row
        for pair in ("BTC/USDT", "ETH/USDT")
        for row in reader.range("demo", MINUTE, pair, start, start + timedelta(days=2))
    ]


@pytest.fixture
def stocked(connection: Connection) -> Connection:
    CandleWriter(connection).write(candles_of(make_panel(BARS)))
    return connection


def test_a_run_goes_from_candles_to_signals_and_again_changes_nothing(
    stocked: Connection, tmp_path: Path
) -> None:
    first = run(stocked, tmp_path)
    assert (first.inference.origin, first.inference.report.inserted) == ("live", 2)
    before = signals(stocked)
    assert [(row.signal.pair, row.signal.action, row.version) for row in before] == [
        ("BTC/USDT", "enter_long", 1),
        ("ETH/USDT", "enter_long", 1),
    ]
    assert all(row.published_by == "research/demo" for row in before)
    runs = SignalReader(stocked).runs("demo", MINUTE, START, NOW)
    assert [(found.ts, found.signals) for found in runs] == [(NOW - MINUTE.delta, 2)]
    assert [item.strategy_id for item in StrategyStore(stocked).all()] == ["demo"]

    second = run(stocked, tmp_path)
    assert second.model.reused
    assert second.inference.report.unchanged == 2
    assert signals(stocked) == before


def test_what_a_model_learnt_from_and_what_a_signal_saw_can_be_had_again(
    stocked: Connection, tmp_path: Path
) -> None:
    report = run(stocked, tmp_path)
    learnt = Snapshot.open(tmp_path / "snapshots" / report.model.manifest.data.snapshot_id)
    learnt.verify()
    assert learnt.meta.rows == sum(report.model.manifest.data.bars.values())
    recipe = make_recipe()
    bars = 2 * lookback_bars(recipe.factors.names) + (recipe.policy.calibration_bars or 1)
    symbols = [item.symbol for item in recipe.market.instruments]
    seen = MarketData(stocked).snapshot(
        symbols, NOW - bars * MINUTE.delta, NOW, timeframe="1m", folder=tmp_path / "seen"
    )
    assert {row.signal.snapshot_id for row in signals(stocked)} == {seen.snapshot_id}


def test_a_lost_model_folder_leads_to_the_same_model_and_the_same_rows(
    stocked: Connection, tmp_path: Path
) -> None:
    first = run(stocked, tmp_path / "one")
    second = run(stocked, tmp_path / "two")
    assert not second.model.reused
    assert second.model.manifest.model_sha256 == first.model.manifest.model_sha256
    assert second.inference.report.unchanged == 2


def test_a_tampered_model_is_refused_and_nothing_is_published(stocked: Connection, tmp_path: Path) -> None:
    run(stocked, tmp_path)
    before = signals(stocked)
    (model,) = (tmp_path / "models" / "demo").glob("*/model.txt")
    model.write_text(model.read_text().replace("shrinkage=0.05", "shrinkage=0.50", 1))
    with pytest.raises(ArtefactError, match="changed after training"):
        run(stocked, tmp_path)
    assert signals(stocked) == before
    assert run(stocked, tmp_path, retrain=True).inference.report.unchanged == 2


def test_recorded_bars_make_backfill(stocked: Connection, tmp_path: Path) -> None:
    as_of = START + timedelta(minutes=170)
    report = run(stocked, tmp_path, as_of=as_of)
    assert report.inference.bar == as_of - MINUTE.delta
    assert {row.signal.origin for row in signals(stocked)} == {"backfill"}
    [declared] = StrategyStore(stocked).all()
    assert declared.cadence_bars is None, "what is said about the past promises nothing about bars to come"
    assert declared.pairs == ("BTC/USDT", "ETH/USDT")


class Desk:
    """Runs the command as a user does, on this test's databases."""

    def __init__(self, settings: MongoSettings, home: Path) -> None:
        assert settings.mongo_uri is not None
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")},
            "QUANTBUS_HOME": str(home),
            "QUANTBUS_MONGO_URI": settings.mongo_uri.get_secret_value(),
            "QUANTBUS_MARKET_DB": settings.market_db,
            "QUANTBUS_SIGNALS_DB": settings.signals_db,
            "QUANTBUS_TRADING_DB": settings.trading_db,
        }
        self.home = home
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name("quantbus")), "research", *arguments],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err


@contextmanager
def a_desk(settings: MongoSettings, home: Path) -> Iterator[Desk]:
    """Give a desk, and end what it started."""
    made = Desk(settings, home)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def desk(mongo_settings: MongoSettings, tmp_path: Path) -> Iterator[Desk]:
    with a_desk(mongo_settings, tmp_path / "home") as made:
        yield made


def small(*more: str) -> list[str]:
    chosen = ["nodes.bars.train_bars=400", "nodes.bars.min_train_bars=100", "nodes.model.rounds=10", *more]
    return [part for key in chosen for part in ("--set", key)]


def test_the_command_reports_as_json(stocked: Connection, desk: Desk) -> None:
    code, out, err = desk.run(
        "run", "demo", "--once", "--as-of", (START + timedelta(minutes=170)).isoformat(), "--json", *small()
    )
    assert code == 0, err
    report = json.loads(out)
    assert (report["origin"], report["signals"], report["published"]["inserted"]) == ("backfill", 2, 2)
    assert len(signals(stocked)) == 2
    assert [path.name for path in (desk.home / "models" / "demo").iterdir()] == [report["model"]["model_id"]]


def test_a_recipe_with_a_typo_exits_2_and_writes_nothing(
    stocked: Connection, desk: Desk, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    text = shipped_recipes()["demo"].text.replace("hold_bars", "hold_bar")
    mine.write_text(text, encoding="utf-8")
    code, out, err = desk.run("run", str(mine))
    assert (code, out) == (2, "")
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "hold_bar" in row)
    told = " ".join(err.split())
    assert f"line {line}: " in told
    assert "has no key 'hold_bar'; did you mean 'hold_bars'?" in told
    assert signals(stocked) == []
    assert SignalReader(stocked).runs("demo", MINUTE, START, NOW) == []
    assert not desk.home.exists()


def test_too_little_history_exits_2_with_the_way_out(stocked: Connection, desk: Desk) -> None:
    code, _, err = desk.run("run", "demo", "--set", "nodes.bars.min_train_bars=900")
    assert code == 2
    assert "BTC/USDT has" in err
    assert "quantbus ingest" in err


def test_a_bus_that_is_not_there_is_one_clear_message(desk: Desk) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    desk.environment["QUANTBUS_MONGO_URI"] = f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=500"
    code, _, err = desk.run("run", "demo")
    assert code == 1
    assert "the bus did not answer in time" in err
    assert "Traceback" not in err


def present_bars(connection: Connection, count: int) -> datetime:
    """Write ``count`` bars that end with the newest closed one; return its open time."""
    newest = MINUTE.last_closed(SystemClock().now())
    start = newest - (count - 1) * MINUTE.delta
    CandleWriter(connection).write(candles_of(make_panel(count, start=start)))
    return newest


def wait_until(happened: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"nothing happened within {seconds} s"
        time.sleep(0.05)


def metrics_of(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read(), "utf-8")


@pytest.mark.timeout(240)
@pytest.mark.proof
def test_a_loop_publishes_each_bar_soon_after_it_arrives_and_stops_when_told(
    connection: Connection, desk: Desk, promtool_accepts: Callable[[str], None]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    newest = present_bars(connection, 220)
    process = desk.start("run", "demo", "--loop", "--metrics-port", str(port), *small())
    reader = SignalReader(connection)

    def evaluated() -> Sequence[datetime]:
        return [
            found.ts
            for found in reader.runs("demo", MINUTE, newest - timedelta(hours=1), newest + timedelta(hours=1))
        ]

    wait_until(lambda: process.poll() is not None or evaluated(), 40)
    assert process.poll() is None, process.communicate()[1]
    # The bar in progress: one that closed while the process started would count as late.
    behind = evaluated()[-1] + MINUTE.delta
    following = max(behind, MINUTE.floor(SystemClock().now()))
    panel = make_panel(MINUTE.count(behind, following) + 3, start=behind)
    opens = panel.index.get_level_values(1)
    CandleWriter(connection).write(candles_of(panel[opens < following]))
    bar = candles_of(panel[opens == following])
    wait_until(lambda: SystemClock().now() >= following + MINUTE.delta + timedelta(seconds=0.5), 65)
    CandleWriter(connection).write(bar)
    arrived = SystemClock().now()
    wait_until(lambda: following in evaluated(), 10)
    (found,) = reader.runs("demo", MINUTE, following, following + MINUTE.delta)
    assert found.evaluated_at - arrived < timedelta(seconds=2)
    assert found.pairs_evaluated == 2
    counted = re.compile(r'^quantbus_research_bars_total\{.*outcome="evaluated"', re.MULTILINE)
    wait_until(lambda: counted.search(metrics_of(port)), 10)
    promtool_accepts(metrics_of(port))
    beat = next(item for item in HeartbeatStore(connection).all() if item.process == "research")
    assert beat.instance == "demo"
    assert SystemClock().now() - beat.at < timedelta(seconds=15)

    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert time.monotonic() - asked < 2.0
    assert process.returncode == 0


def test_a_loop_with_a_number_of_bars_ends_by_itself(connection: Connection, desk: Desk) -> None:
    present_bars(connection, 220)
    code, out, err = desk.run("run", "demo", "--loop", "--max-bars", "1", "--json", *small())
    assert code == 0, err
    assert json.loads(out) == {"strategy_id": "demo", "bars": 1}
    now = datetime.now(UTC)
    assert {row.signal.origin for row in signals(connection, now - timedelta(hours=2))} == {"live"}


def test_recorded_market_data_runs_from_end_to_end(
    connection: Connection, shared_data: Path, tmp_path: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    columns = pytest.importorskip("quantbus_contracts.mongo.candle_columns")
    as_of = datetime(2025, 6, 15, 12, 0, 30, tzinfo=UTC)
    for name in ("BTC", "ETH"):
        bars = pandas.read_parquet(shared_data / f"ohlcv/1m/BINANCE_{name}USDT_1m.parquet")
        near = bars[(bars["ts"] > as_of - timedelta(days=1)) & (bars["ts"] < as_of + timedelta(days=1))]
        values = {
            column: near[column].to_numpy("float64") for column in ("open", "high", "low", "close", "volume")
        }
        CandleWriter(connection).write_columns(
            columns.CandleColumns(
                symbol=f"BINANCE:{name}USDT",
                timeframe=MINUTE,
                source="recorded",
                open_times_ms=near["ts"].dt.as_unit("ms").astype("int64").to_numpy(),
                **values,
            )
        )
    reports = [
        run(connection, tmp_path / home, make_recipe("nodes.bars.train_bars=1000"), as_of=as_of)
        for home in ("a", "b")
    ]
    assert reports[0].inference.bar == datetime(2025, 6, 15, 11, 59, tzinfo=UTC)
    assert reports[0].model.manifest.data.last_open_time < as_of
    assert reports[0].model.manifest.model_sha256 == reports[1].model.manifest.model_sha256
    assert reports[1].inference.report.unchanged == len(reports[0].inference.signals)
