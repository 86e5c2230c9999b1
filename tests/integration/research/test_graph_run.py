"""The whole graph of a recipe, from the command line, against a real bus."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import FrozenClock
from quantbus_research.cli import app
from quantbus_research.settings.nodes import ArtefactType
from quantbus_research.workflows import open_session
from quantbus_research.workflows.runs import Surroundings, run_graph
from tests.unit.research.nodes.ground import HOUR, RULE, TAIL, hourly, recipe_of
from tests.unit.research.panels import MINUTE, START, make_panel
from tests.unit.research.runs.toys import Ears
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration
BARS = 420
AS_OF = (START + BARS * MINUTE.delta + timedelta(seconds=5)).isoformat()
SMALL = ("nodes.bars.train_bars=400", "nodes.bars.min_train_bars=100", "nodes.model.rounds=10")


@pytest.fixture
def stocked(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    CandleWriter(connection).write(candles_of(make_panel(BARS)))
    assert mongo_settings.mongo_uri is not None
    for name, value in {
        "QUANTBUS_HOME": str(tmp_path / "home"),
        "QUANTBUS_MONGO_URI": mongo_settings.mongo_uri.get_secret_value(),
        "QUANTBUS_MARKET_DB": mongo_settings.market_db,
        "QUANTBUS_SIGNALS_DB": mongo_settings.signals_db,
        "QUANTBUS_TRADING_DB": mongo_settings.trading_db,
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    return connection


def quantbus(*words: str) -> Result:
    options = [part for key in SMALL for part in ("--set", key)]
    return CliRunner().invoke(app, ["run", "demo", "--as-of", AS_OF, *options, *words])


def told(*words: str) -> dict[str, Any]:
    done = quantbus(*words, "--json")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def signals(connection: Connection) -> list[PublishedSignal]:
    reader = SignalReader(connection)
    return [
        row
        for pair in ("BTC/USDT", "ETH/USDT")
        for row in reader.range("demo", MINUTE, pair, START, START + timedelta(days=2))
    ]


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {name: done["outcome"] for name, done in report["nodes"].items()}


def test_a_recipe_goes_from_bars_to_signals_and_again_changes_nothing(
    stocked: Connection, tmp_path: Path
) -> None:
    rehearsed = told("--what-if")
    assert rehearsed["nodes"]["bars"] == "read"
    assert rehearsed["nodes"]["model"] == "run"
    assert not (tmp_path / "home").exists()

    dry = told("--dry-run-publish")
    assert signals(stocked) == []
    assert set(outcomes(dry).values()) == {"done"}

    first = told()
    said = signals(stocked)
    assert len(first["signals"]["publish"]) == len(said)
    assert {row.signal.origin for row in said} <= {"backfill"}
    assert outcomes(first)["model"] == "cached"
    assert first["manifest_hash"] == dry["manifest_hash"]

    told()
    assert signals(stocked) == said
    known = told("--what-if")
    assert known["nodes"]["model"] == "cached"
    assert len(known["signals"]["publish"]) == len(said)


def test_a_run_tells_people_what_it_did(stocked: Connection) -> None:
    shown = quantbus()
    lines = shown.stderr.splitlines()
    assert any(line.startswith("done    model (model): ") for line in lines), shown.stderr
    assert "refused by gates" in shown.stdout
    assert shown.exit_code == 1, "the gates say no, and so does the exit code"
    assert "manifest " in shown.stdout


@pytest.mark.proof
def test_a_cold_run_of_two_jobs_comes_to_the_same(stocked: Connection) -> None:
    first = told()
    said = signals(stocked)
    cold = told("--no-cache", "--jobs", "2", "--set", "nodes.model.threads=2")
    assert set(outcomes(cold).values()) == {"done"}
    assert not any(done["differs"] for done in cold["nodes"].values())
    assert cold["manifest_hash"] == first["manifest_hash"]
    assert signals(stocked) == said


def test_one_node_alone_needs_only_what_it_waits_for(stocked: Connection) -> None:
    report = told("--only", "seen")
    assert outcomes(report) == {"bars": "done", "seen": "done"}
    assert report["signals"] == {}


def test_a_run_late_in_a_bar_says_exits_only_and_marks_them_on_the_bus(
    connection: Connection, tmp_path: Path
) -> None:
    CandleWriter(connection).write(candles_of(hourly(80), HOUR))
    in_and_out = [
        "nodes.policy.enter=-1",
        "nodes.policy.exit=-1",
        "nodes.policy.hold_bars=1",
        "nodes.publish.on_late=exits",
    ]
    recipe = recipe_of(RULE, TAIL, sets=in_and_out)
    clock = FrozenClock(START + 78 * HOUR.delta + timedelta(minutes=40))
    held = 0
    for _ in range(2):  # whoever does not enter at the first of two bars enters at the second
        where = Surroundings(tmp_path, clock, lambda: open_session(recipe, connection, tmp_path, clock))
        [facts] = [
            made.facts
            for made in run_graph(recipe, where, Ears()).artefacts.values()
            if made.type is ArtefactType.SIGNALS
        ]
        held += int(str(facts["held_back"]))
        clock.advance(HOUR.delta)
    reader = SignalReader(connection)
    said = [
        row.signal
        for pair in recipe.market.pairs
        for row in reader.range("small", HOUR, pair, START, clock.now())
    ]
    assert held == len(recipe.market.pairs)
    assert {signal.action for signal in said} <= {"exit_long"}
    assert {signal.degraded for signal in said} == {"said more than half a bar after its close"}
    runs = reader.runs("small", HOUR, START, clock.now())
    assert [run.ts for run in runs] == [START + bar * HOUR.delta for bar in (77, 78)]
    assert all("said more than half a bar after its close" in str(run.degraded) for run in runs)
