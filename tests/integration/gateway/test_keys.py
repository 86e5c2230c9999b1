"""Who may come in, and how the keys are made."""

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest

from quantbus_contracts.mongo.api_keys import ApiKeyStore
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema.api_key import ApiKey
from tests.integration.gateway.running import Gateway, running_gateway

pytestmark = pytest.mark.integration
ASKED = {"strategy_id": "demo", "timeframe": "1m"}


def code(gateway: Gateway, secret: str) -> int:
    return gateway.client(secret).get("/v1/signals", params=ASKED).status_code


def test_a_key_is_made_shown_once_used_listed_and_revoked(gateway: Gateway, connection: Connection) -> None:
    made = gateway.keys("create", "--name", "laptop", "--strategy", "demo", "--expires", "90d", "--json")
    assert made.returncode == 0, made.stderr
    shown = json.loads(made.stdout)
    assert (shown["scopes"], shown["strategies"]) == (["read"], ["demo"])
    assert code(gateway, shown["secret"]) == 200
    listed = gateway.keys("list", "--json").stdout
    assert [item["key_id"] for item in json.loads(listed)] == [shown["key_id"]]
    hidden = shown["secret"].split("_", 2)[2]
    stored = connection.client[connection.names.of("api_keys")]["api_keys"].find_one({})
    for text in (listed, gateway.keys("list").stdout, repr(stored), repr(ApiKeyStore(connection).all())):
        assert hidden not in text
    assert gateway.keys("revoke", shown["key_id"]).returncode == 0
    deadline = time.monotonic() + 5
    while code(gateway, shown["secret"]) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    answer = gateway.client(shown["secret"]).get("/v1/signals", params=ASKED)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="quantbus"')
    assert "revoked" in answer.json()["error"]["message"]
    assert json.loads(gateway.keys("list", "--json").stdout)[0]["revoked_at"]


def test_revoking_twice_keeps_the_first_time_and_an_unknown_key_is_said(
    gateway: Gateway, connection: Connection
) -> None:
    key_id = gateway.new_key().split("_")[1]
    store = ApiKeyStore(connection)
    assert store.revoke(key_id)
    first = store.get(key_id)
    assert store.revoke(key_id)
    assert store.get(key_id) == first
    assert gateway.keys("revoke", "0" * 12).returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "--name", "x y"],
        ["create", "--name", "x", "--scope", "root"],
        ["create", "--name", "x", "--scope", "read", "--scope", "read"],
        ["create", "--name", "x", "--hook"],
        ["create", "--name", "x", "--hook", "--strategy", "demo", "--scope", "read"],
        ["create", "--name", "x", "--expires", "soon"],
        ["revoke", "qbk_0123456789ab_somebody-pasted-all-of-it"],
    ],
)
def test_a_key_that_cannot_be_is_refused_in_one_sentence(gateway: Gateway, arguments: list[str]) -> None:
    done = gateway.keys(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "pasted" not in done.stderr


def test_scopes_and_strategies_are_kept_apart(gateway: Gateway) -> None:
    row = {
        "symbol": "BINANCE:BTCUSDT",
        "pair": "BTC/USDT",
        "timeframe": "1m",
        "ts": "2026-01-05T12:00:00Z",
        "action": "enter_long",
    }
    reader = gateway.publisher(scopes=("read",))
    writer = gateway.publisher(scopes=("write",))
    confined = gateway.publisher(strategies=("mine",))
    admin = gateway.publisher(scopes=("admin",))
    mine, other = row | {"strategy_id": "mine"}, row | {"strategy_id": "other"}
    assert reader.post("/v1/signals", json=[mine]).status_code == 403
    assert writer.get("/v1/signals", params=ASKED).status_code == 403
    assert confined.get("/v1/signals", params=ASKED).status_code == 403
    assert confined.post("/v1/signals", json=[mine, other]).status_code == 403
    asked = {**ASKED, "strategy_id": "mine"}
    assert confined.get("/v1/signals", params=asked).json() == {"signals": []}  # not even the row of mine
    assert confined.post("/v1/signals", json=[mine]).status_code == 200
    assert admin.post("/v1/signals", json=[other]).status_code == 200
    assert len(admin.get("/v1/signals", params=asked).json()["signals"]) == 1


def test_an_expired_key_a_wrong_secret_and_no_key_are_turned_away(
    gateway: Gateway, connection: Connection
) -> None:
    now = connection.server_now()
    expired = gateway.new_key(created_at=now - timedelta(days=2), expires_at=now - timedelta(days=1))
    good = gateway.new_key()
    forged = good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB")
    assert code(gateway, good) == 200
    for secret in (expired, forged, "qbk_" + "0" * 12 + "_" + "x" * 43, "nonsense", good.upper()):
        assert code(gateway, secret) == 401
    assert code(gateway, good) == 200  # the forged one has not shaken it
    for headers in ({}, {"Authorization": f"Basic {good}"}, {"X-API-Key": good}):
        answer = gateway.http.get("/v1/signals", params=ASKED, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthenticated"


def test_the_token_of_a_hook_opens_nothing_else(gateway: Gateway) -> None:
    assert code(gateway, gateway.new_hook("demo")) == 401


def test_the_database_refuses_a_key_that_no_command_of_ours_would_store(connection: Connection) -> None:
    now = connection.server_now()
    key = ApiKey(key_id="0" * 12, name="x", secret_hash="0" * 64, scopes=("read",), created_at=now)
    collection = connection.client[connection.names.of("api_keys")]["api_keys"]
    row = key.model_dump() | {"_id": key.key_id, "scopes": ["read"], "strategies": [], "revoked_at": now}
    row = {name: value for name, value in row.items() if value is not None}
    for wrong in (row | {"secret": "plain"}, row | {"secret_hash": "plain"}, row | {"kind": "root"}):
        with pytest.raises(Exception, match="Document failed validation"):
            collection.insert_one(wrong)
    collection.insert_one(row)


def test_guessing_is_slowed_down_while_keys_in_use_stay_served(
    mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    with running_gateway(mongo_settings, tmp_path, failures_per_minute=5, rate_burst=1_000) as gateway:
        good = gateway.new_key()
        assert code(gateway, good) == 200
        codes = [code(gateway, f"qbk_{number:012x}_{'x' * 43}") for number in range(20)]
        assert codes[:5] == [401] * 5
        assert set(codes[5:]) == {429}
        late = gateway.client("qbk_" + "0" * 12 + "_" + "y" * 43).get("/v1/signals", params=ASKED)
        assert 1 <= int(late.headers["Retry-After"]) <= 12
        assert code(gateway, good) == 200
        assert gateway.metric('quantbus_gateway_rate_limited_total{limit="client"}') == 16
        assert gateway.metric('quantbus_gateway_auth_failures_total{reason="unknown"}') == 5
