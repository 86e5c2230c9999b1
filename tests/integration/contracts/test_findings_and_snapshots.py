"""Findings and account snapshots on a real mongod: one row each, whoever writes, however often."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from pymongo.errors import WriteError

from quantbus_contracts.mongo.account_snapshots import AccountSnapshots
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.findings import FindingStore
from quantbus_contracts.schema import (
    AccountBalance,
    AccountFill,
    AccountOrder,
    AccountPosition,
    AccountSnapshot,
    RecordedFinding,
    Sighting,
    UnknownPart,
)

pytestmark = pytest.mark.integration
SEEN = Sighting(
    check="reconciliation",
    kind="account_flat",
    subject="bot BTC/USDT #1",
    severity="critical",
    message="expected 1 BTC, found none",
    action="look at the venue",
    evidence="bot 1 account 0",
    blocks="pair:BTC/USDT",
)


def open_ones(store: FindingStore) -> Sequence[RecordedFinding]:
    return store.snapshot().findings


def test_a_finding_keeps_the_time_it_was_first_seen_and_closes_once(connection: Connection) -> None:
    store = FindingStore(connection)
    store.record([SEEN], judged_at=connection.server_now())
    (first,) = open_ones(store)
    store.record([SEEN], judged_at=connection.server_now())
    (again,) = open_ones(store)
    assert (again.first_seen, again.episode) == (first.first_seen, 1)
    assert again.last_seen >= first.last_seen
    before = connection.server_now()
    store.record([], [SEEN.key], judged_at=before + timedelta(seconds=1))
    assert open_ones(store) == ()
    (closed,) = store.snapshot(resolved_since=before - timedelta(seconds=5)).findings
    store.record([], [SEEN.key], judged_at=before + timedelta(hours=1))
    (still,) = store.snapshot(resolved_since=before - timedelta(seconds=5)).findings
    assert still == closed
    store.record([SEEN], judged_at=before)
    (anew,) = open_ones(store)
    assert (anew.episode, anew.finding_id) == (2, first.finding_id)
    assert [past.first_seen for past in anew.past] == [first.first_seen]


def test_a_finding_that_somebody_saw_after_it_was_judged_gone_stands(connection: Connection) -> None:
    store = FindingStore(connection)
    judged_at = connection.server_now() - timedelta(seconds=1)
    store.record([SEEN], judged_at=judged_at)
    store.record([], [SEEN.key], judged_at=judged_at)
    assert len(open_ones(store)) == 1


def test_an_acknowledgement_ends_with_its_time_with_other_evidence_and_with_the_finding(
    connection: Connection,
) -> None:
    store = FindingStore(connection)
    now = connection.server_now()
    assert store.acknowledge("0" * 12, by="me", reason="x") is None
    store.record([SEEN], judged_at=now)
    (name,) = (found.finding_id for found in open_ones(store))
    until = now + timedelta(minutes=5)
    taken = store.acknowledge(name, by="me", reason="sold by hand", until=until)
    assert taken is not None
    assert taken.is_acknowledged(now)
    assert not taken.is_acknowledged(until)
    store.record([SEEN.model_copy(update={"message": "other words"})], judged_at=now)
    assert open_ones(store)[0].is_acknowledged(now)
    store.record([SEEN.model_copy(update={"evidence": "bot 2 account 0"})], judged_at=now)
    assert not open_ones(store)[0].is_acknowledged(now)
    store.acknowledge(name, by="$$NOW", reason="$first_seen")
    assert open_ones(store)[0].acknowledged_reason == "$first_seen"
    store.record([], [SEEN.key], judged_at=now + timedelta(hours=1))
    store.record([SEEN], judged_at=now)
    (anew,) = open_ones(store)
    assert anew.acknowledged_at is None
    assert anew.past[0].acknowledged_by == "$$NOW"


def test_many_monitors_that_see_one_thing_make_one_row(connection: Connection) -> None:
    store = FindingStore(connection)
    now = connection.server_now()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.record([SEEN], judged_at=now), range(40)))
    (found,) = open_ones(store)
    assert found.episode == 1
    assert connection.collection("findings").count_documents({}) == 1


def snapshot(connection: Connection, **given: Any) -> AccountSnapshot:
    now = connection.server_now()
    fields: dict[str, Any] = {
        "account": "live",
        "venue": "binance",
        "quote": "USDT",
        "asked_at": now - timedelta(seconds=1),
        "at": now,
        "markets": ("spot", "swap"),
        "balances": (AccountBalance(market="spot", currency="USDT", total=1.0, free=1.0),),
        "positions": (AccountPosition(pair="BTC/USDT:USDT", side="short", amount=0.1),),
        "orders": (AccountOrder(pair="BTC/USDT", order_id="1", side="buy", kind="stop", amount=0.0),),
        "fills": (
            AccountFill(
                pair="BTC/USDT", fill_id="1", order_id="1", side="buy", amount=1.0, price=2.0, at=now
            ),
        ),
        "unknown": (UnknownPart(market="swap", part="orders", reason="timeout"),),
        **given,
    }
    return AccountSnapshot(**fields)


def test_a_snapshot_reads_back_as_it_was_and_the_newest_of_each_account_counts(
    connection: Connection,
) -> None:
    store = AccountSnapshots(connection)
    newest = snapshot(connection)
    earlier = newest.model_copy(
        update={"at": newest.at - timedelta(seconds=30), "asked_at": newest.at - timedelta(seconds=31)}
    )
    other = snapshot(connection, account="paper", unknown=())
    for one in (newest, earlier, other, newest):
        store.add(one)
    assert store.newest() == {"live": newest, "paper": other}
    assert not newest.knows("swap", "orders")
    assert newest.knows("spot", "orders")
    assert not newest.knows("spot", "positions")
    assert (newest.is_complete, other.is_complete) == (False, True)
    ttl = connection.collection("account_snapshots").index_information()["at_1"]
    assert ttl["expireAfterSeconds"] == 14 * 86_400


@pytest.mark.parametrize(
    ("collection", "bad"),
    [
        ("account_snapshots", {"balances.0.total": float("nan")}),
        ("account_snapshots", {"positions.0.amount": 0.0}),
        ("account_snapshots", {"orders.0.surprise": 1}),
        ("account_snapshots", {"unknown.0.part": "everything"}),
        ("findings", {"severity": "dreadful"}),
        ("findings", {"finding_id": "1"}),
        ("findings", {"surprise": 1}),
    ],
)
def test_the_database_refuses_what_the_model_would(
    connection: Connection, collection: str, bad: dict[str, Any]
) -> None:
    AccountSnapshots(connection).add(snapshot(connection))
    FindingStore(connection).record([SEEN], judged_at=connection.server_now())
    with pytest.raises(WriteError):
        connection.collection(collection).update_one({}, {"$set": bad})
