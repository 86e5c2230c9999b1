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
from quantbus_research.cli import app
from tests.unit.research.panels import MINUTE, START, make_panel
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
