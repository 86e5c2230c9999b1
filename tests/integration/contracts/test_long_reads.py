"""Reads of many rows: whole, in order, each once, and each page within a time-out of its own."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.long_reads import read_in_order
from quantbus_contracts.mongo.steps import Row, Steps
from quantbus_contracts.testing import make_execution, make_signal

pytestmark = pytest.mark.integration
START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantbus_contracts.mongo.long_reads.PAGE", 4)


@pytest.mark.parametrize("at_once", [1, 3, 4, 5, 23])
def test_every_row_is_there_once_also_where_many_share_a_moment(
    connection: Connection, small_pages: None, at_once: int
) -> None:
    rows = [
        make_execution(
            make_signal(ts=START + timedelta(minutes=number)),
            seen_at=START + timedelta(hours=2, seconds=number // at_once),
            available_at=START + timedelta(hours=1),
        )
        for number in range(23)
    ]
    ExecutionWriter(connection).record(rows)
    found = ExecutionReader(connection).since(START)
    assert {row.key for row in found} == {row.key for row in rows}
    assert len(found) == len(rows)
    assert [row.seen_at for row in found] == sorted(row.seen_at for row in rows)


def test_no_more_than_asked_for_is_read_and_each_page_has_its_own_deadline(small_pages: None) -> None:
    stored = [{"at": START + timedelta(seconds=number)} for number in range(30)]
    steps = read_in_order("rows", {"at": {"$gte": START}}, None, by="at", limit=10)
    asked, rows = _answered(steps, stored)
    assert rows == stored[:10]
    assert asked == ["find", "new_deadline", "find", "new_deadline", "find"]


def _answered(steps: Steps[list[Row]], stored: list[Row]) -> tuple[list[str], list[Row]]:
    asked: list[str] = []
    reply: object = None
    try:
        while True:
            call = steps.send(reply)
            asked.append(call.method)
            if call.method == "find":
                since = call.args[0]["at"]["$gte"]
                skip, limit = call.options["skip"], call.options["limit"]
                reply = [row for row in stored if row["at"] >= since][skip : skip + limit]
    except StopIteration as done:
        return asked, done.value
