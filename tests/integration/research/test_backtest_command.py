"""Backtests as a command, of what stands on a real bus."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from quantbus_contracts import SignalBus
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.observations import ObservationStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import FundingRate
from quantbus_research.cli import app
from tests.fixtures.command import environment_of
from tests.unit.research.panels import BTC, MINUTE, START, make_panel
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration
BARS = 120
PANEL = make_panel(BARS)


Ask = Callable[..., Any]


@pytest.fixture
def ask(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Ask:
    """Run ``quantbus research backtest ARGUMENTS --json`` in this process; return what it says."""
    CandleWriter(connection).write(candles_of(PANEL))
    monkeypatch.chdir(tmp_path)
    for name, value in environment_of(mongo_settings).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> Any:
        shown = CliRunner().invoke(app, ["backtest", *arguments, "--json"], catch_exceptions=False)
        assert shown.exit_code == 0, shown.output
        return json.loads(shown.stdout)

    return run


def publish(connection: Connection) -> None:
    rows = [
        {"pair": "BTC/USDT", "ts": START + bar * MINUTE.delta, "action": action}
        for bar, action in ((10, "enter_long"), (40, "exit_long"), (60, "enter_long"), (90, "exit_long"))
    ]
    report = SignalBus(connection, publisher="past").publish(
        rows, strategy_id="past", timeframe="1m", venue="BINANCE", origin="backfill"
    )
    assert report.ok


def test_history_written_today_trades_only_as_if_it_had_been_published_then(
    connection: Connection, mongo_settings: MongoSettings, ask: Ask
) -> None:
    publish(connection)
    as_it_was = ask("--signals", "past")
    assert (as_it_was["result"]["trades"], as_it_was["result"]["total_return"]) == (0, 0.0)
    assert "4 signals (4 backfill) led to 0 positions" in as_it_was["remarks"][0]

    told = ask("--signals", "past", "--published-after", "0", "--fee", "0.0005")
    opens = PANEL.loc[BTC]["open"]
    gains = [
        (opens.iloc[exit_] * 0.9995) / (opens.iloc[entry] * 1.0005) for entry, exit_ in ((11, 41), (61, 91))
    ]
    assert told["result"]["total_return"] == pytest.approx(gains[0] * gains[1] - 1, rel=1e-9)
    folder = Path(told["folder"])
    assert folder.parent == mongo_settings.home / "backtests"
    assert sorted(file.name for file in folder.iterdir()) == ["report.html", "report.json", "trades.csv"]
    assert json.loads((folder / "report.json").read_text())["result"] == told["result"]


def test_positions_of_a_file_are_traded_over_the_bars_of_the_bus(ask: Ask, tmp_path: Path) -> None:
    bars = pd.date_range(START, periods=BARS, freq=MINUTE.delta)
    held = pd.DataFrame({"datetime": bars, "position": [int(bar % 20 < 10) for bar in range(BARS)]})
    held.to_csv("mine.csv", index=False)
    told = ask(
        "--positions", "mine.csv", "--timeframe", "1m", "--out", "out", "--pair", "BTC/USDT", "--fee", "0.002"
    )
    assert (told["folder"], told["result"]["trades"]) == ("out", BARS // 20)
    assert "edge" in told["verdict"]
    assert (tmp_path / "out" / "report.html").is_file()
    with pytest.raises(ConfigError, match="--pair to say whose positions they are"):
        ask("--positions", "mine.csv", "--timeframe", "1m")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--signals", "nobody"), "expected a strategy on the bus, found no 'nobody'"),
        ((), "expected either --signals STRATEGY_ID or --positions FILE"),
        (
            ("--signals", "past", "--start", "2020-01-01", "--end", "2020-01-02"),
            "found none; see `quantbus signals",
        ),
        (("--signals", "past", "--snapshot", "x"), "with --positions only"),
    ],
)
def test_what_cannot_be_tested_is_refused(
    connection: Connection, ask: Ask, arguments: tuple[str, ...], told: str
) -> None:
    publish(connection)
    with pytest.raises(ConfigError, match=told):
        ask(*arguments)


def test_perpetuals_are_charged_the_funding_that_is_on_the_bus(connection: Connection, ask: Ask) -> None:
    symbol, pair = "BINANCE:BTCUSDT.P", "BTC/USDT:USDT"
    swaps = PANEL.loc[[BTC]].rename(index={BTC: symbol}, level=0)
    CandleWriter(connection).write(candles_of(swaps))
    paid = FundingRate(symbol=symbol, at=START + 30 * MINUTE.delta, source="test", rate=0.01)
    ObservationStore(connection).write([paid])
    rows = [{"pair": pair, "ts": START + 10 * MINUTE.delta, "action": "enter_long"}]
    SignalBus(connection, publisher="past").publish(
        rows, strategy_id="swaps", timeframe="1m", venue="BINANCE", origin="backfill"
    )
    day = f"{START:%Y-%m-%d}"
    days = ("--start", day, "--end", f"{START + timedelta(days=1):%Y-%m-%d}")
    told = ask("--signals", "swaps", "--published-after", "0", "--fee", "0", *days)
    opens = swaps["open"].to_numpy()
    assert told["result"]["funding"] == pytest.approx(0.01 * 10_000 / opens[11] * opens[30], rel=1e-9)
    assert told["remarks"][1] == "1 funding payments are charged"
