"""Alerts of a charting site, which cannot send headers."""

import json
from typing import Any

import pytest

from quantbus_contracts import Instrument, SignalBus, Strategy
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.testing import make_signal
from tests.integration.gateway.running import Gateway

pytestmark = pytest.mark.integration
HOOK = "/v1/hooks/tradingview/chart"


def alert(token: str | None, **given: Any) -> dict[str, Any]:
    return {
        "token": token,
        "symbol": "BINANCE:BTCUSDT",
        "interval": "60",
        "time": "2026-01-05T12:00:00Z",
        "prev_market_position": "flat",
        "market_position": "long",
        "price": 97250.5,
        **given,
    }


@pytest.fixture
def declared(connection: Connection) -> None:
    SignalBus(connection).declare(
        Strategy(
            strategy_id="chart",
            venue="BINANCE",
            timeframe="1h",
            pairs=("BTC/USDT",),
        )
    )


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "text/plain; charset=utf-8"])
def test_an_alert_becomes_a_signal(gateway: Gateway, connection: Connection, media_type: str) -> None:
    body = json.dumps(alert(gateway.new_hook("chart"), note="breakout"))
    answer = gateway.http.post(HOOK, content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 200, answer.text
    assert answer.json()["inserted"] == 1
    stored = SignalReader(connection).get(make_signal(strategy_id="chart", timeframe="1h").signal_id)
    assert stored is not None
    signal = stored.signal
    assert (signal.pair, signal.action, signal.ref_price) == ("BTC/USDT", "enter_long", 97250.5)
    assert (signal.note, signal.source) == ("breakout", "tradingview")


@pytest.mark.usefixtures("declared")
def test_the_same_alert_again_is_unchanged(gateway: Gateway) -> None:
    body = alert(gateway.new_hook("chart"))
    assert gateway.http.post(HOOK, json=body).json()["inserted"] == 1
    assert gateway.http.post(HOOK, json=body).json()["unchanged"] == 1


def test_a_symbol_is_looked_up_in_the_venues_list_where_nothing_is_declared(
    gateway: Gateway, connection: Connection
) -> None:
    token = gateway.new_hook("chart")
    unknown = gateway.http.post(HOOK, json=alert(token))
    assert unknown.status_code == 422
    assert "give the alert a pair" in unknown.text
    InstrumentStore(connection).write([Instrument.from_pair("BINANCE", "BTC/USDT:USDT")])
    spot = gateway.http.post(HOOK, json=alert(token))
    assert spot.status_code in (200, 422)  # a list without the market is as good as none
    swap = gateway.http.post(HOOK, json=alert(token, symbol="BINANCE:BTCUSDT.P"))
    assert swap.status_code == 200, swap.text


def test_a_pair_in_the_alert_spares_the_look_up_but_must_fit(gateway: Gateway) -> None:
    token = gateway.new_hook("chart")
    assert gateway.http.post(HOOK, json=alert(token, pair="ETH/USDT")).status_code == 422
    assert gateway.http.post(HOOK, json=alert(token, pair="BTC/USDT")).status_code == 200


@pytest.mark.usefixtures("declared")
def test_a_hook_is_good_for_its_strategy_only(gateway: Gateway) -> None:
    assert gateway.http.post(HOOK, json=alert(gateway.new_hook("other"))).status_code == 403
    for token in (
        None,
        "",
        "nonsense",
        5,
        {"$ne": None},
        gateway.new_key(),
        "qbh_" + "0" * 12 + "_" + "x" * 43,
    ):
        answer = gateway.http.post(HOOK, json=alert(token))  # type: ignore[arg-type]  # what strangers send
        assert answer.status_code == 401, answer.text


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"symbol": "BINANCE:DOGEUSDT"}, "symbol"),
        ({"symbol": "BTCUSDT"}, "symbol"),
        ({"interval": "7"}, "timeframe"),
        ({"interval": "W"}, "timeframe"),
        ({"interval": "5"}, "timeframe"),
        ({"time": "{{time}}"}, "ts"),
        ({"time": "1767614400"}, "ts"),
        ({"time": "2026-01-05T12:34:00Z"}, "ts"),
        ({"price": "97250.5"}, "price"),
        ({"price": -1}, "ref_price"),
        ({"market_position": "long", "prev_market_position": "long"}, "market_position"),
        ({"market_position": "up"}, "market_position"),
        ({"prev_market_position": None}, "prev_market_position"),
        ({"action": "enter_long"}, "action"),
        ({"market_position": None, "prev_market_position": None}, "score"),
        ({"contracts": 5}, "contracts"),
        ({"note": {"$ne": None}}, "note"),
    ],
)
def test_an_alert_that_says_nothing_plain_is_refused_and_kept_without_its_token(
    gateway: Gateway, connection: Connection, given: dict[str, Any], field: str
) -> None:
    token = gateway.new_hook("chart")
    answer = gateway.http.post(HOOK, json=alert(token, **given))
    assert answer.status_code == 422
    (fault,) = answer.json()["error"]["report"]["rejections"]
    assert fault["field"] == field, fault
    (kept,) = connection.client[connection.names.of("crypto_signals_rejected")][
        "crypto_signals_rejected"
    ].find()
    assert "token" not in kept["row"]
    assert token not in str(kept)


@pytest.mark.usefixtures("declared")
def test_a_token_that_stands_twice_is_refused_before_anything_is_stored(
    gateway: Gateway, connection: Connection
) -> None:
    token = gateway.new_hook("chart")
    for given in ({"note": f"my token is {token}"}, {token: 1}, {"note": token.upper()}):
        answer = gateway.http.post(HOOK, json=alert(token, **given))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "secret_in_body")
        assert token not in answer.text
    for name in ("crypto_signals", "crypto_signals_rejected"):
        assert connection.client[connection.names.of(name)][name].count_documents({}) == 0


def test_an_alert_that_is_no_json_or_too_long_is_refused(gateway: Gateway) -> None:
    assert gateway.http.post(HOOK, content="BTCUSDT crossed 100000").status_code == 400
    assert gateway.http.post(HOOK, content=b" " * 20_000).status_code == 413
    assert gateway.http.post(HOOK, json=[1]).status_code == 401
