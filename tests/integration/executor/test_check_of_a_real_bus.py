"""`quantbus executor check` as a person runs it, against a real mongod."""

from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.listings import ListingStore
from quantbus_contracts.schema import Listing, Strategy
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_signal
from tests.fixtures.command import Run

pytestmark = pytest.mark.integration

SHIPPED = Path(__file__).resolve().parents[3] / "executor/user_data/config.dryrun.json"


def check(quantbus: Run, *options: str) -> tuple[int, dict[str, str]]:
    done = quantbus("executor", "check", "--config", str(SHIPPED), "--json", *options)
    rows: list[dict[str, Any]] = done.json["findings"]
    return done.code, {row["check"]: f"{row['severity']}: {row['message']}" for row in rows}


def test_a_config_fits_once_its_strategy_is_declared(quantbus: Run, connection: Connection) -> None:
    code, found = check(quantbus)
    assert code == 1
    assert set(found) == {"strategy"}
    assert "known are none" in found["strategy"]

    bus = SignalBus(connection, publisher="test")
    bus.declare(Strategy(strategy_id="demo", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT", "ETH/USDT")))
    assert bus.publish([make_signal(strategy_id="demo")]).ok
    code, found = check(quantbus, "--strict")
    assert code == 0
    assert set(found) == {"silence"}
    assert "1 of 2" in found["silence"]


def test_what_the_venue_takes_is_known_once_ingestion_has_asked_it(
    quantbus: Run, connection: Connection
) -> None:
    bus = SignalBus(connection, publisher="test")
    bus.declare(Strategy(strategy_id="demo", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT", "ETH/USDT")))
    instrument = Instrument.from_pair("BINANCE", "BTC/USDT")
    listing = Listing(instrument=instrument, status="trading", venue_symbol="BTCUSDT", min_notional=200.0)
    ListingStore(connection).record([listing])
    code, found = check(quantbus)
    assert code == 1
    assert "233.33" in found["minimum-stake"]  # 200, and what Freqtrade keeps in reserve for a stop of 10 %


def test_a_layout_that_is_not_whole_is_an_error(quantbus: Run, connection: Connection) -> None:
    database = connection.client[connection.names.of("executions")]
    database["executions"].drop_index("seen_at_-1")
    code, found = check(quantbus)
    assert code == 1
    assert "executions: index" in found["layout"]


def test_a_bus_that_is_away_is_told_in_seconds_and_the_rest_all_the_same(quantbus: Run) -> None:
    done = quantbus(
        "executor",
        "check",
        "--config",
        str(SHIPPED),
        EXT_SIG_MONGO_URI="mongodb://127.0.0.1:1/?directConnection=true",
    )
    assert done.code == 1
    assert "quantbus bus status" in done.out
    assert "not fit to start" in done.out
