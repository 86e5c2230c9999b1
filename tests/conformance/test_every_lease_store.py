"""The laws of leases; the in-memory fake and the real store run the same tests."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.leases import AsyncLeaseStore, LeaseStore
from quantbus_contracts.schema import LeaseBid
from quantbus_contracts.testing import FakeLeaseStore


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "fake":
        return FakeLeaseStore()
    connection: Connection = request.getfixturevalue("connection")
    return LeaseStore(connection)


def bid(bot: str = "one", run: str = "run-1", *, seconds: float = 30.0, account: str = "main") -> LeaseBid:
    return LeaseBid(
        account=account, consumer_id=bot, holder=f"file-of-{bot}", process=run, host="$host", seconds=seconds
    )


def test_a_free_account_is_taken_for_as_long_as_asked(store: Any) -> None:
    lease = store.take(bid(seconds=12.5))
    assert (lease.consumer_id, lease.host, lease.is_held_by(bid())) == ("one", "$host", True)
    assert lease.taken_at == lease.renewed_at
    assert lease.expires_at - lease.renewed_at == timedelta(seconds=12.5)
    assert store.all() == [lease]


def test_a_held_account_is_not_taken_and_its_holder_is_named(store: Any) -> None:
    held = store.take(bid())
    answer = store.take(bid("two"), over=True)
    assert answer == held
    assert not answer.is_held_by(bid("two"))
    other = store.take(bid("two", account="other"))
    assert other.is_held_by(bid("two")), "another account is another matter"


def test_a_renewal_moves_the_end_and_not_the_beginning(store: Any) -> None:
    first = store.take(bid(seconds=1))
    later = store.take(bid(seconds=60))
    assert later.taken_at == first.taken_at
    assert later.expires_at > first.expires_at + timedelta(seconds=50)


def test_a_bot_that_starts_again_takes_over_from_itself_and_its_earlier_run_has_lost_it(store: Any) -> None:
    store.take(bid())
    assert not store.take(bid(run="run-2")).is_held_by(bid(run="run-2")), "a renewal never takes over"
    taken = store.take(bid(run="run-2"), over=True)
    assert taken.is_held_by(bid(run="run-2"))
    assert store.take(bid()) == taken, "the earlier run is told who holds it now"


def test_the_same_consumer_with_another_claims_file_is_another_bot(store: Any) -> None:
    held = store.take(bid())
    copied = bid(run="run-2").model_copy(update={"holder": "another-file"})
    assert store.take(copied, over=True) == held


def test_an_account_that_was_given_up_is_free_at_once(store: Any) -> None:
    store.take(bid())
    assert not store.give_up(bid(run="run-2")), "only its holder gives it up"
    assert store.give_up(bid())
    assert store.take(bid("two")).is_held_by(bid("two"))
    assert not store.give_up(bid())


def test_nobody_gives_up_what_was_never_taken(store: Any) -> None:
    assert not store.give_up(bid())
    assert store.all() == []


def test_a_lease_ends_by_the_stores_clock() -> None:
    store = FakeLeaseStore()
    held = store.take(bid(seconds=30))
    store.clock.advance(timedelta(seconds=29))  # type: ignore[attr-defined]
    assert store.take(bid("two")) == held
    store.clock.advance(timedelta(seconds=1))  # type: ignore[attr-defined]
    assert store.take(bid("two")).is_held_by(bid("two"))
    assert not store.take(bid()).is_held_by(bid()), "who comes back late has lost it"


@pytest.mark.integration
def test_a_real_lease_ends_by_the_servers_clock(connection: Connection) -> None:
    store = LeaseStore(connection)
    store.take(bid(seconds=0.001))
    deadline = connection.server_now() + timedelta(seconds=5)
    while not store.take(bid("two")).is_held_by(bid("two")):
        assert connection.server_now() < deadline


@pytest.mark.integration
def test_of_many_that_ask_at_once_one_gets_it(connection: Connection) -> None:
    store = LeaseStore(connection)
    bids = [bid(f"bot-{number}", f"run-{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(store.take, bids))
    assert len({answer.process for answer in answers}) == 1
    assert sum(answer.is_held_by(asked) for answer, asked in zip(answers, bids, strict=True)) == 1


@pytest.mark.integration
async def test_the_asynchronous_store_does_the_same(async_connection: AsyncConnection) -> None:
    store = AsyncLeaseStore(async_connection)
    first, second = await asyncio.gather(store.take(bid()), store.take(bid("two")))
    assert first.process == second.process
    assert first == second or first.consumer_id == second.consumer_id
    assert len(await store.all()) == 1
    holder = bid(first.consumer_id)
    assert await store.give_up(holder)
