"""Canaries: secrets that are used in every way there is, and then looked for everywhere."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.redaction import redact
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema.tokens import Token, parse_token
from tests.integration.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.integration

ROW = {
    "strategy_id": "demo",
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "timeframe": "1m",
    "ts": "2026-01-05T12:00:00Z",
    "action": "enter_long",
}


def use_everywhere(gateway: Gateway, key: str, hook: str) -> list[str]:
    """Use the secrets well and badly; return every answer, headers included."""
    bearer = {"Authorization": f"Bearer {key}"}
    alert = {"symbol": "BINANCE:BTCUSDT", "interval": "1", "time": "2026-01-05T12:00:00Z", "pair": "BTC/USDT"}
    url = "/v1/hooks/tradingview/demo"
    http = gateway.http
    answers = [
        http.post("/v1/signals", json=[ROW], headers=bearer),
        http.post("/v1/signals", json=[ROW | {"weight": key}], headers=bearer),
        http.post("/v1/signals", json=[ROW | {"note": key}, key, {key: key}], headers=bearer),
        http.post("/v1/signals", content=f'[{{"api_key": "{key}"', headers=bearer),
        http.post("/v1/signals", json=[ROW | {"weight": 9}], headers=bearer),
        http.get("/v1/signals", params={"strategy_id": key, "timeframe": key, "cursor": key}, headers=bearer),
        http.get(f"/v1/signals/{key}", headers=bearer),
        http.get(f"/{key}"),
        http.get("/v1/signals", headers={"Authorization": key}),
        http.get("/v1/signals", headers={"Authorization": f"Bearer {key}x"}),
        http.get("/v1/signals", headers={"Authorization": f"Bearer {hook}"}),
        http.post(url, json=alert | {"token": hook, "action": "enter_long"}),
        http.post(url, json=alert | {"token": hook, "action": "buy"}),
        http.post(url, json=alert | {"token": hook, "note": hook}),
        http.post(url, json=alert | {"token": hook, "interval": f"x{hook}"}),
        http.post(url, json=alert | {"token": [hook]}),
        http.post(url, json=alert | {"token": hook[:-1]}),
        http.post(url, json=[hook]),
        http.post(url, content=f'{{"token": "{hook}", NaN}}'),
        http.post(f"/v1/hooks/tradingview/{hook}", json=alert | {"token": hook}),
    ]
    return [f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers]


def assert_no_secret(text: str, *secrets: str) -> None:
    for secret in secrets:
        hidden = parse_token(secret)
        assert hidden is not None
        assert hidden.secret not in text
        assert hidden.secret_hash not in text


def test_no_secret_shows_in_answers_logs_metrics_or_rows(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    with running_gateway(mongo_settings, tmp_path, failures_per_minute=1_000) as gateway:
        key = gateway.new_key(strategies=("demo",))
        hook = gateway.new_hook("demo")
        answers = use_everywhere(gateway, key, hook)
        metrics = gateway.http.get("/metrics").text
        listed = gateway.keys("list", "--json").stdout + gateway.keys("revoke", key).stderr
        gateway.stop()
        log = gateway.log.read_text()
    assert [answer[:3] for answer in answers].count("200") == 2
    assert "500" not in [answer[:3] for answer in answers]
    assert_no_secret("\n".join(answers) + metrics + listed + log, key, hook)
    stored = [
        str(row)
        for name in ("crypto_signals", "crypto_signals_rejected", "signals_audit", "strategies")
        for row in connection.client[connection.names.of(name)][name].find()
    ]
    assert len(stored) > 3
    assert_no_secret("\n".join(stored), key, hook)


def test_the_search_would_find_a_secret() -> None:
    token = Token.fresh("api")
    with pytest.raises(AssertionError):
        assert_no_secret(f"the key is {token.text}", token.text)


def test_a_token_hides_its_secret_from_whoever_prints_it_and_from_logs() -> None:
    token = Token.fresh("hook")
    assert token.secret not in repr(token)
    assert token.secret not in f"{[token]}"
    assert token.secret not in redact(f"event {token.text} and {json.dumps({'note': token.text})}")


def test_a_broken_bus_tells_clients_nothing_of_its_address(tmp_path: Path) -> None:
    home = tmp_path / "bus"
    server = start_server(home)
    settings = MongoSettings(home=tmp_path / "home", mongo_uri=SecretStr(server.uri))
    with closing(connect(settings, app="test", timeout_seconds=60)) as connection:
        initialise(connection)
    try:
        with running_gateway(settings, tmp_path, bus_seconds=1) as gateway:
            key = gateway.new_key()
            client = gateway.client(key)
            assert client.post("/v1/signals", json=[ROW]).status_code == 200
            stop_server(home)
            for _ in range(3):
                answer = client.post("/v1/signals", json=[ROW])
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) >= 1
                assert answer.elapsed.total_seconds() < 6
                error = answer.json()["error"]
                assert error["code"] == "bus_unavailable"
                assert "127.0.0.1" not in answer.text
            assert gateway.http.get("/healthz").status_code == 200
            start_server(home)
            assert client.post("/v1/signals", json=[ROW]).json()["unchanged"] == 1
    finally:
        stop_server(home)
