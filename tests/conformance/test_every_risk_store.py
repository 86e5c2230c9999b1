"""The laws of risk rows and of what is in force; the in-memory fakes and the real stores run the same tests."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import WriteError

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.controls import ControlStore
from quantbus_contracts.mongo.restraints import RestraintReader
from quantbus_contracts.mongo.risk_states import AsyncRiskStateStore, RiskStateStore
from quantbus_contracts.policy import risk_view
from quantbus_contracts.schema import Control, ControlKind, RiskLevel, RiskState
from quantbus_contracts.testing import FakeControlStore, FakeRestraintReader, FakeRiskStateStore

HOUR = timedelta(hours=1)


@dataclass
class Stores:
    """Risk rows, controls, and the reader of both."""

    risk: Any
    controls: Any
    reader: Any


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "fake":
        controls, risk = FakeControlStore(), FakeRiskStateStore()
        return Stores(risk, controls, FakeRestraintReader(controls, risk))
    connection: Connection = request.getfixturevalue("connection")
    return Stores(RiskStateStore(connection), ControlStore(connection), RestraintReader(connection))


def make_state(now: datetime, **given: Any) -> RiskState:
    defaults = {
        "strategy_id": "demo",
        "pair": "BTC/USDT",
        "level": RiskLevel.WARN,
        "stake_scale": 0.5,
        "reason": "$$NOW it drifts",
        "evidence": "run-17",
        "at": now,
        "by": "$someone@host",
    }
    return RiskState(**{**defaults, **given})


def make_control(now: datetime, **given: Any) -> Control:
    defaults = {
        "scope": "all",
        "source": "operator",
        "kind": "block",
        "reason": "news",
        "at": now,
        "by": "me",
    }
    return Control(**{**defaults, **given})


def test_what_was_set_reads_back_with_the_stores_clock(stores: Stores) -> None:
    now = stores.risk.snapshot().now
    state = make_state(now, expires_at=now + HOUR)
    stores.risk.put(state)
    snapshot = stores.risk.snapshot()
    assert snapshot.states == (state,)
    assert timedelta(0) <= snapshot.now - now < timedelta(minutes=1)


def test_a_strategy_and_pair_have_one_row_and_the_newest_counts(stores: Stores) -> None:
    now = stores.risk.snapshot().now
    stores.risk.put(make_state(now))
    stores.risk.put(make_state(now, pair="*", level="ok", stake_scale=1.0))
    stores.risk.put(make_state(now, level="crit"))
    rows = [(state.pair, state.level.value) for state in stores.risk.snapshot().states]
    assert rows == [("*", "ok"), ("BTC/USDT", "crit")]


def test_clearing_ends_one_row_and_keeps_it_for_who_asks(stores: Stores) -> None:
    now = stores.risk.snapshot().now
    stores.risk.put(make_state(now))
    stores.risk.put(make_state(now, pair="*"))
    assert stores.risk.clear("demo", "BTC/USDT", by="$me")
    assert not stores.risk.clear("demo", "BTC/USDT", by="$me")
    assert not stores.risk.clear("other", "*", by="me")
    snapshot = stores.risk.snapshot()
    assert [(state.pair, state.is_active(snapshot.now)) for state in snapshot.states] == [
        ("*", True),
        ("BTC/USDT", False),
    ]
    assert snapshot.states[1].cleared_by == "$me"


def test_a_row_set_by_a_clock_ahead_can_be_cleared(stores: Stores) -> None:
    ahead = stores.risk.snapshot().now + timedelta(minutes=5)
    stores.risk.put(make_state(ahead))
    assert stores.risk.clear("demo", "BTC/USDT", by="me")
    assert stores.risk.snapshot().states[0].expires_at == ahead


def test_only_what_is_in_force_restrains_and_only_its_own_strategy(stores: Stores) -> None:
    now = stores.risk.snapshot().now
    stores.risk.put(make_state(now))
    stores.risk.put(make_state(now, strategy_id="other"))
    stores.risk.put(make_state(now - 2 * HOUR, pair="ETH/USDT", expires_at=now - HOUR))
    stores.controls.put(make_control(now, scope="strategy:other"))
    stores.controls.put(make_control(now - 2 * HOUR, source="monitor", expires_at=now - HOUR))
    stores.controls.put(make_control(now, kind=ControlKind.HALT, expires_at=now + HOUR))
    found = stores.reader.in_force("demo")
    assert [(state.strategy_id, state.pair) for state in found.states] == [("demo", "BTC/USDT")]
    assert sorted((control.scope, control.kind.value) for control in found.controls) == [
        ("all", "halt"),
        ("strategy:other", "block"),
    ], "a control's scope is for the policy to judge"
    assert found.unreadable == ()
    assert timedelta(0) <= found.now - now < timedelta(minutes=1)
    assert risk_view(found.states, found.now, strategy_id="demo", pair="BTC/USDT").stake_scale == 0.5


def test_where_nothing_was_ever_set_nothing_restrains(stores: Stores) -> None:
    found = stores.reader.in_force("demo")
    assert (found.controls, found.states, found.unreadable) == ((), (), ())


@pytest.mark.integration
async def test_the_asynchronous_store_says_and_does_the_same(async_connection: AsyncConnection) -> None:
    store = AsyncRiskStateStore(async_connection)
    now = (await store.snapshot()).now
    state = make_state(now)
    await store.put(state)
    assert (await store.snapshot()).states == (state,)
    assert await store.clear("demo", "BTC/USDT", by="me")
    assert not await store.clear("demo", "BTC/USDT", by="me")


@pytest.mark.integration
def test_a_row_written_past_the_validators_hides_no_other(connection: Connection) -> None:
    now = connection.server_now()
    RiskStateStore(connection).put(make_state(now))
    database = connection.client[connection.names.of("risk_state")]
    bad = {"_id": "bad", "strategy_id": "demo", "pair": 7, "level": "doom", "stake_scale": float("nan")}
    for name in ("risk_state", "controls"):
        database.command({"insert": name, "documents": [bad], "bypassDocumentValidation": True})
    found = RestraintReader(connection).in_force("demo")
    assert len(found.states) == 1
    assert found.unreadable == ("bad", "bad")


@pytest.mark.integration
@pytest.mark.parametrize(
    "wrong",
    [
        {"pair": "BTCUSDT"},
        {"level": "doom"},
        {"stake_scale": 1.5},
        {"stake_scale": float("nan")},
        {"reason": "  "},
        {"expires_at": datetime(2000, 1, 1, tzinfo=UTC)},
        {"unknown": 1},
    ],
)
def test_the_database_refuses_what_goes_past_the_model(connection: Connection, wrong: dict[str, Any]) -> None:
    now = connection.server_now()
    raw = connection.client[connection.names.of("risk_state")]["risk_state"]
    row = make_state(now).model_dump(exclude_none=True) | {"level": "warn", "_id": "x"}
    with pytest.raises(WriteError):
        raw.insert_one(row | wrong)
    raw.insert_one(row)
