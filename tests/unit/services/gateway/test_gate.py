"""Who may come in."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.schema.api_key import ApiKey, Scope
from quantbus_contracts.schema.tokens import Token
from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.testing.builders import NOON
from quantbus_services.gateway.errors import ApiError
from quantbus_services.gateway.gate import Gate
from quantbus_services.gateway.limits import Buckets
from quantbus_services.gateway.metrics import GatewayMetrics


class Keys:
    """Keys by id; counts how often it is asked."""

    def __init__(self) -> None:
        self.rows: dict[str, ApiKey] = {}
        self.asked = 0
        self.down = False

    async def get(self, key_id: str) -> ApiKey | None:
        self.asked += 1
        if self.down:
            raise BusUnavailable("down")
        return self.rows.get(key_id)

    def new(self, **given: object) -> Token:
        token = Token.fresh("api")
        fields = {"key_id": token.key_id, "secret_hash": token.secret_hash, "name": "x", "scopes": ("read",)}
        key = ApiKey.model_validate({**fields, "created_at": NOON - timedelta(days=1), **given})
        self.rows[token.key_id] = key
        return token


class Rig:
    """A gate whose clocks stand still."""

    def __init__(self, *, rate: float = 1, burst: int = 5, failures: int = 3) -> None:
        self.keys = Keys()
        self.clock = FrozenClock(NOON)
        self.seconds = 0.0
        registry = CollectorRegistry()
        self.gate = Gate(
            self.keys,
            self.clock,
            GatewayMetrics(registry),
            rates=Buckets(rate, burst, lambda: self.seconds),
            failures=Buckets(failures / 60, failures, lambda: self.seconds),
            trust_seconds=2,
        )

    async def status(self, text: str | None, *, scope: Scope = "read", client: str = "1.2.3.4") -> int:
        try:
            await self.gate.admit(text, client, kind="api", scope=scope)
        except ApiError as error:
            return int(error.status)
        return 200


async def test_a_good_key_is_asked_for_once_while_it_is_trusted() -> None:
    rig = Rig()
    token = rig.keys.new()
    assert [await rig.status(token.text) for _ in range(3)] == [200] * 3
    assert rig.keys.asked == 1
    rig.seconds += 2
    assert await rig.status(token.text) == 200
    assert rig.keys.asked == 2


async def test_a_revocation_is_in_force_once_trust_has_run_out() -> None:
    rig = Rig()
    token = rig.keys.new()
    assert await rig.status(token.text) == 200
    rig.keys.rows[token.key_id] = rig.keys.rows[token.key_id].model_copy(update={"revoked_at": NOON})
    assert await rig.status(token.text) == 200
    rig.seconds += 2
    assert await rig.status(token.text) == 401


async def test_a_key_expires_on_time_though_it_is_trusted() -> None:
    rig = Rig()
    token = rig.keys.new(expires_at=NOON + timedelta(seconds=1))
    assert await rig.status(token.text) == 200
    rig.clock.advance(timedelta(seconds=1))
    assert await rig.status(token.text) == 401


async def test_a_dead_bus_is_no_reason_to_turn_a_key_away_or_to_let_it_in() -> None:
    rig = Rig()
    token = rig.keys.new()
    rig.keys.down = True
    with pytest.raises(BusUnavailable):
        await rig.status(token.text)


async def test_the_rate_is_each_keys_own() -> None:
    rig = Rig(rate=1, burst=2)
    one, other = rig.keys.new(), rig.keys.new()
    assert [await rig.status(one.text) for _ in range(3)] == [200, 200, 429]
    assert await rig.status(other.text) == 200
    rig.seconds += 1
    assert await rig.status(one.text) == 200


async def test_a_refused_scope_costs_the_rate_too() -> None:
    rig = Rig(rate=0.001, burst=1)
    token = rig.keys.new()
    assert await rig.status(token.text, scope="write") == 403
    assert await rig.status(token.text) == 429


async def test_guesses_are_not_looked_up_once_failures_are_used_up() -> None:
    rig = Rig(failures=3)
    used, fresh = rig.keys.new(), rig.keys.new()
    assert await rig.status(used.text) == 200
    rig.seconds += 2
    statuses = [await rig.status(Token.fresh("api").text) for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert rig.keys.asked == 4
    assert await rig.status(used.text) == 200  # in use before: served, though it has to be looked up again
    assert await rig.status(fresh.text) == 429
    assert await rig.status(fresh.text, client="5.6.7.8") == 200


async def test_a_wrong_secret_neither_opens_nor_shakes_a_trusted_key() -> None:
    rig = Rig()
    token = rig.keys.new()
    forged = Token("api", token.key_id, "x" * 43)
    assert await rig.status(token.text) == 200
    assert await rig.status(forged.text) == 401
    asked = rig.keys.asked
    assert await rig.status(token.text) == 200
    assert rig.keys.asked == asked
