"""A walk round the audit finds what was changed behind its back, a few rows at a time, and that it was mended."""

import pytest

from quantbus_contracts.mongo import audit_walk
from quantbus_contracts.mongo.audit_rows import hash_of
from quantbus_contracts.mongo.audit_walk import AsyncAuditWalk, AuditStep
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from tests.integration.contracts.test_audit import audit_of, publish_some, signals_of

pytestmark = pytest.mark.integration


@pytest.fixture
def walk(connection: Connection, async_connection: AsyncConnection) -> AsyncAuditWalk:
    publish_some(connection)
    return AsyncAuditWalk(async_connection)


def told(step: AuditStep) -> set[tuple[str, str]]:
    return {(item.strategy_id, item.kind) for item in step.findings}


async def test_what_was_not_touched_fits_round_and_round(walk: AsyncAuditWalk) -> None:
    for _ in range(3):
        step = await walk.step()
        assert (step.rows, step.findings, step.went_round) == (5, (), True)


async def test_a_round_is_made_in_small_steps(walk: AsyncAuditWalk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_walk, "_ROWS", 2)
    steps = [await walk.step() for _ in range(3)]
    assert [step.rows for step in steps] == [2, 2, 1]
    assert [step.went_round for step in steps] == [False, False, True]
    assert all(step.findings == () for step in steps)


async def test_a_step_ends_after_enough_entries_but_takes_one_row_at_least(
    walk: AsyncAuditWalk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_walk, "_ENTRIES", 1)
    steps = [await walk.step() for _ in range(3)]  # rows of 0, 1, 0, 2 and 3 entries
    assert [step.rows for step in steps] == [3, 1, 1]
    assert [step.went_round for step in steps] == [False, False, True]


async def test_an_altered_row_is_found_and_stands_until_it_is_mended(
    connection: Connection, walk: AsyncAuditWalk
) -> None:
    assert (await walk.step()).findings == ()
    rows = audit_of(connection)
    rows.update_one({"strategy_id": "test", "seq": 2}, {"$set": {"published_by": "somebody else"}})
    for _ in range(2):
        assert told(await walk.step()) == {("test", "row_altered")}
    rows.update_one({"strategy_id": "test", "seq": 2}, {"$set": {"published_by": "tester"}})
    assert (await walk.step()).findings == ()


async def test_a_row_that_was_altered_with_its_hash_breaks_the_chain_behind_it(
    connection: Connection, walk: AsyncAuditWalk
) -> None:
    rows = audit_of(connection)
    row = rows.find_one({"strategy_id": "test", "seq": 2}) | {"published_by": "somebody else"}
    rows.replace_one({"_id": row["_id"]}, row | {"hash": hash_of(row)})
    assert told(await walk.step()) == {("test", "chain_broken")}


async def test_a_missing_row_is_found_in_the_middle_at_the_end_and_as_a_whole_chain(
    connection: Connection, walk: AsyncAuditWalk
) -> None:
    assert (await walk.step()).findings == ()
    rows = audit_of(connection)
    last = rows.find_one_and_delete({"strategy_id": "test", "seq": 3})
    assert told(await walk.step()) == {("test", "row_missing")}
    rows.insert_one(last)
    assert (await walk.step()).findings == ()
    rows.delete_one({"strategy_id": "test", "seq": 2})
    assert ("test", "row_missing") in told(await walk.step())
    rows.delete_many({"strategy_id": "other"})
    assert ("other", "row_missing") in told(await walk.step())


async def test_a_signal_that_says_something_else_than_was_accepted_is_found(
    connection: Connection, walk: AsyncAuditWalk
) -> None:
    signals = signals_of(connection)
    tampered = signals.find_one({"strategy_id": "test", "version": 2})
    signals.update_one({"_id": tampered["_id"]}, {"$set": {"score": 0.9}})
    assert told(await walk.step()) == {("test", "revision_altered")}
    signals.replace_one({"_id": tampered["_id"]}, tampered)
    assert (await walk.step()).findings == ()
    signals.delete_one({"_id": tampered["_id"]})
    assert told(await walk.step()) == {("test", "revision_missing")}


async def test_a_row_of_garbage_is_a_finding_and_ends_nothing(
    connection: Connection, walk: AsyncAuditWalk
) -> None:
    rows = audit_of(connection)
    rows.update_one({"strategy_id": "test", "seq": 2}, {"$set": {"entries": ["not an entry"]}})
    assert told(await walk.step()) == {("test", "row_altered")}
    assert (await walk.step()).rows == 5
