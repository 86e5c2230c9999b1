"""Why a signal fired, asked on the command line about a signal on a real bus."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.testing import FrozenClock
from quantbus_research.cli import app
from quantbus_research.workflows import open_session, run_once
from tests.fixtures.command import environment_of
from tests.unit.research.panels import BTC, MINUTE, START, make_panel
from tests.unit.research.recipes import SMALL, make_recipe
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration
BARS = 205
ASKED = [part for key in SMALL for part in ("--set", key)]
Ask = Callable[..., Any]


@pytest.fixture
def ask(mongo_settings: MongoSettings, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run ``quantbus research why ARGUMENTS`` in this process; return what it shows."""
    for name, value in environment_of(mongo_settings).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> str:
        shown = CliRunner().invoke(app, ["why", *arguments], catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        return shown.stdout

    return run


def test_a_published_signal_is_explained_until_its_bars_are_corrected(
    connection: Connection, mongo_settings: MongoSettings, ask: Ask
) -> None:
    panel = make_panel(BARS)
    CandleWriter(connection).write(candles_of(panel))
    clock = FrozenClock(START + BARS * MINUTE.delta + timedelta(seconds=1))
    report = run_once(open_session(make_recipe(), connection, mongo_settings.home, clock))
    signal = report.inference.signals[0]

    told = json.loads(ask(signal.signal_id, *ASKED, "--json"))
    assert (told["pair"], told["score"]) == (signal.pair, signal.score)
    added = sum(factor["added"] for factor in told["factors"])
    assert told["base"] + added == pytest.approx(told["steps"]["log odds"], abs=1e-9)
    assert len(told["factors"]) == len(make_recipe().factors.names)

    shown = ask(signal.signal_id, "--recipe", "demo", *ASKED)
    for part in ("before any factor", "log_return_1", "added (log odds)", "bars from the bus", "enters from"):
        assert part in shown
    with pytest.raises(ConfigError, match="give the recipe of that time"):
        ask(signal.signal_id)

    bar = panel.loc[BTC].iloc[BARS - 3]
    opened = START + (BARS - 3) * MINUTE.delta
    wrong = (opened, bar["open"], bar["high"], bar["low"], bar["low"], bar["volume"])
    CandleWriter(connection).write_bars(BTC, MINUTE, "correction", [wrong])
    with pytest.raises(ArtefactError, match="bars were corrected, came late or are gone"):
        ask(signal.signal_id, *ASKED)


def test_an_unknown_signal_is_called_that(connection: Connection, ask: Ask) -> None:
    with pytest.raises(ConfigError, match="found no 'nothing'"):
        ask("nothing")
