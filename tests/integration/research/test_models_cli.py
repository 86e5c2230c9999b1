"""Training, promotion, rollback and prediction as commands, against a real bus."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.runtime.settings import MongoSettings
from tests.integration.research.test_research_run import Desk, a_desk
from tests.unit.research.gates.worlds import moving_series
from tests.unit.research.panels import MINUTE, START, panel_of
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration
BARS = 640


def options(*more: str) -> list[str]:
    chosen = [
        "nodes.bars.train_bars=600",
        "nodes.model.family=linear",
        "nodes.model.calibration=sigmoid",
        *more,
    ]
    return [part for key in chosen for part in ("--set", key)]


def at(bar: int) -> str:
    return (START + bar * MINUTE.delta).isoformat()


@pytest.fixture
def desk(connection: Connection, mongo_settings: MongoSettings, tmp_path: Path) -> Iterator[Desk]:
    pattern = panel_of(
        BTC=moving_series(BARS, seed=1, memory=0.8), ETH=moving_series(BARS, seed=2, memory=0.8)
    )
    CandleWriter(connection).write(candles_of(pattern))
    with a_desk(mongo_settings, tmp_path / "home") as made:
        yield made


def ask(desk: Desk, *arguments: str, exits: int = 0) -> object:
    code, out, err = desk.run(*arguments, "--json")
    assert code == exits, err
    return json.loads(out)


@pytest.mark.proof
def test_a_model_goes_through_its_life_by_commands_and_publishes_nothing(
    desk: Desk, connection: Connection
) -> None:
    first, second = (ask(desk, "train", "demo", "--as-of", at(bar), *options()) for bar in (BARS - 30, BARS))
    assert isinstance(first, list)
    assert isinstance(second, list)
    older, newer = first[0]["model_id"], second[0]["model_id"]
    for model_id in (older, newer):
        promotion = ask(desk, "promote", "demo", "--model", model_id, *options())
        assert isinstance(promotion, dict)
        assert (promotion["done"], len(promotion["verdicts"])) == (True, 4)
    listed = ask(desk, "models", "demo")
    assert isinstance(listed, dict)
    assert {row["model_id"]: row["stage"] for row in listed["models"]} == {
        older: "retired",
        newer: "production",
    }
    back = ask(desk, "rollback", "demo")
    assert isinstance(back, dict)
    assert (back["production"], back["withdrawn"]) == (older, newer)
    said = ask(desk, "predict", "demo", "--as-of", at(BARS), *options())
    assert isinstance(said, dict)
    assert (said["model_id"], [row["pair"] for row in said["pairs"]]) == (older, ["BTC/USDT", "ETH/USDT"])
    assert SignalReader(connection).runs("demo", MINUTE, START, START + timedelta(days=2)) == []


def test_a_refusal_exits_1_with_its_numbers_and_a_what_if_stores_nothing(desk: Desk) -> None:
    dear = options("nodes.gates.cost_rate=0.1")
    told = ask(desk, "train", "demo", "--only", "ETH/USDT", "--what-if", "--as-of", at(BARS), *dear)
    assert isinstance(told, list)
    assert (told[0]["outcome"], told[0]["pairs"]) == ("would be trained", ["ETH/USDT"])
    assert not desk.home.exists()
    ask(desk, "train", "demo", "--as-of", at(BARS), *dear)
    refused = ask(desk, "promote", "demo", *dear, exits=1)
    assert isinstance(refused, dict)
    assert not refused["done"]
    figures = {verdict["gate"]: verdict["figures"] for verdict in refused["verdicts"]}
    assert (
        figures["information"]["information_ratio"]
        < 0
        < figures["information"]["information_ratio_before_costs"]
    )
    nothing = ask(desk, "rollback", "demo", exits=1)
    assert nothing == {
        "done": False,
        "told": "no model is in production",
        "production": None,
        "withdrawn": None,
    }
