"""The laws of controls; the in-memory fake and the real store run the same tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.errors import WriteError

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.controls import AsyncControlStore, ControlStore
from quantbus_contracts.policy import active_controls, strictest_control
from quantbus_contracts.schema import Control, ControlKind
from quantbus_contracts.testing import FakeControlStore


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        return FakeControlStore()
    connection: Connection = request.getfixturevalue("connection")
    return ControlStore(connection)


def make_control(now: datetime, **given: Any) -> Control:
    defaults = {
        "scope": "strategy:demo",
        "source": "operator",
        "kind": ControlKind.HALT,
        "reason": "$$NOW is not a good time",
        "at": now,
        "by": "$someone@host",
    }
    return Control(**{**defaults, **given})


def test_what_was_set_reads_back_with_the_stores_clock(store: Any) -> None:
    now = store.snapshot().now
    control = make_control(now, expires_at=now + timedelta(hours=2))
    store.put(control)
    snapshot = store.snapshot()
    assert snapshot.controls == (control,)
    assert timedelta(0) <= snapshot.now - now < timedelta(minutes=1)


def test_a_source_has_one_word_on_a_scope_and_the_newest_counts(store: Any) -> None:
    now = store.snapshot().now
    store.put(make_control(now))
    store.put(make_control(now, kind=ControlKind.BLOCK))
    store.put(make_control(now, scope="all"))
    kinds = [(control.scope, control.kind) for control in store.snapshot().controls]
    assert kinds == [("all", ControlKind.HALT), ("strategy:demo", ControlKind.BLOCK)]


def test_each_source_lifts_only_its_own(store: Any) -> None:
    now = store.snapshot().now
    store.put(make_control(now))
    store.put(make_control(now, source="monitor", kind=ControlKind.BLOCK))
    assert store.lift("strategy:demo", "operator", by="$me")
    left = store.snapshot()
    active = active_controls(left.controls, left.now, strategy_id="demo")
    assert [control.source for control in active] == ["monitor"]
    lifted = next(control for control in left.controls if control.source == "operator")
    assert (lifted.lifted_by, lifted.expires_at is not None) == ("$me", True), "it is kept, and it is over"


def test_lifting_what_is_not_in_force_says_so_and_changes_nothing(store: Any) -> None:
    now = store.snapshot().now
    assert not store.lift("all", "operator", by="me")
    over = make_control(now, at=now - timedelta(hours=2), expires_at=now - timedelta(hours=1))
    store.put(over)
    assert not store.lift(over.scope, over.source, by="me")
    assert store.snapshot().controls == (over,)


def test_a_control_set_by_a_clock_ahead_can_be_lifted(store: Any) -> None:
    ahead = store.snapshot().now + timedelta(minutes=5)
    store.put(make_control(ahead))
    assert store.lift("strategy:demo", "operator", by="me")
    assert store.snapshot().controls[0].expires_at == ahead


def test_the_most_restrictive_of_what_was_set_wins(store: Any) -> None:
    now = store.snapshot().now
    store.put(make_control(now, scope="all", kind=ControlKind.BLOCK))
    store.put(make_control(now, scope="pair:BTC/USDT", source="monitor", kind=ControlKind.FLATTEN))
    snapshot = store.snapshot()
    btc = strictest_control(snapshot.controls, snapshot.now, strategy_id="demo", pair="BTC/USDT")
    eth = strictest_control(snapshot.controls, snapshot.now, strategy_id="demo", pair="ETH/USDT")
    assert (btc and btc.kind, eth and eth.kind) == (ControlKind.FLATTEN, ControlKind.BLOCK)


@pytest.mark.integration
async def test_the_asynchronous_store_says_and_does_the_same(async_connection: AsyncConnection) -> None:
    store = AsyncControlStore(async_connection)
    now = (await store.snapshot()).now
    control = make_control(now)
    await store.put(control)
    assert (await store.snapshot()).controls == (control,)
    assert await store.lift(control.scope, control.source, by="me")
    assert not await store.lift(control.scope, control.source, by="me")
    assert [item.is_active(now) for item in (await store.snapshot()).controls] == [True]


@pytest.mark.integration
@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "venue:x"},
        {"scope": "pair:BTCUSDT"},
        {"kind": "explode"},
        {"reason": "  "},
        {"expires_at": datetime(2000, 1, 1, tzinfo=UTC)},
        {"unknown": 1},
    ],
)
def test_the_database_refuses_what_goes_past_the_model(connection: Connection, wrong: dict[str, Any]) -> None:
    now = connection.server_now()
    raw = connection.client[connection.names.of("controls")]["controls"]
    row = make_control(now).model_dump(exclude_none=True) | {"kind": "halt", "_id": "x"}
    with pytest.raises(WriteError):
        raw.insert_one(row | wrong)
    raw.insert_one(row)
