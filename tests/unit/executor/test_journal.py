"""The ledger's outbox."""

from collections.abc import Sequence

import pytest

from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.schema import Execution, ExecutionState
from quantbus_contracts.testing import FakeExecutionStore, make_execution, make_signal
from quantbus_executor.ledger.journal import Journal
from tests.unit.executor.rig import MINUTE


def rows(count: int) -> list[Execution]:
    first = make_signal()
    return [
        make_execution(
            make_signal(ts=first.ts + number * MINUTE), state=ExecutionState.REFUSED, reason="expired"
        )
        for number in range(count)
    ]


def test_rows_wait_for_a_bus_that_is_down_and_go_out_once_it_is_back() -> None:
    store = FakeExecutionStore(down=True)
    journal = Journal(store, "bot")
    (row,) = rows(1)
    journal.put(row)
    assert not journal.flush()
    assert (journal.unsent, len(store.rows)) == (1, 0)
    store.down = False
    assert journal.flush()
    assert journal.unsent == 0
    assert store.rows[row.key] == row


def test_an_equal_row_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeExecutionStore()
    journal = Journal(store, "bot")
    (row,) = rows(1)
    journal.put(row)
    journal.flush()
    journal.put(row)
    assert journal.unsent == 0


def test_only_the_newest_state_of_a_row_is_sent() -> None:
    store = FakeExecutionStore(down=True)
    journal = Journal(store, "bot")
    row = make_execution()
    journal.put(row)
    journal.put(row.model_copy(update={"state": ExecutionState.ACCEPTED}))
    assert journal.unsent == 1
    store.down = False
    journal.flush()
    assert store.rows[row.key].state is ExecutionState.ACCEPTED


def test_a_row_that_the_bus_refuses_does_not_hold_up_the_others() -> None:
    good, bad, also_good = rows(3)

    class Choosy(FakeExecutionStore):
        def record(self, executions: Sequence[Execution]) -> None:
            if bad in executions:
                raise BusError("refused by the validator")
            super().record(executions)

    store = Choosy()
    journal = Journal(store, "bot")
    for row in (good, bad, also_good):
        journal.put(row)
    assert journal.flush()
    assert set(store.rows) == {good.key, also_good.key}
    assert journal.unsent == 0


def test_rows_wait_while_the_bot_may_not_write_and_go_out_once_it_may() -> None:
    class Forbidden(FakeExecutionStore):
        forbids = True

        def record(self, executions: Sequence[Execution]) -> None:
            if self.forbids:
                raise ConfigError("the bus refused this user")
            super().record(executions)

    store = Forbidden()
    journal = Journal(store, "bot")
    for row in rows(3):
        journal.put(row)
    assert not journal.flush()
    assert journal.unsent == 3
    store.forbids = False
    assert journal.flush()
    assert len(store.rows) == 3


def test_a_refused_row_among_many_costs_a_loop_few_questions() -> None:
    bad, *good = rows(400)
    asked = []

    class Choosy(FakeExecutionStore):
        def record(self, executions: Sequence[Execution]) -> None:
            asked.append(len(executions))
            if bad in executions:
                raise BusError("refused by the validator")
            super().record(executions)

    store = Choosy()
    journal = Journal(store, "bot")
    for row in (*good[:200], bad, *good[200:]):
        journal.put(row)
    for _ in range(10):
        journal.flush()
        assert len(asked) <= 10, "the bot's loop waits for all of these"
        asked.clear()
    assert set(store.rows) == {row.key for row in good}


def test_a_row_that_changes_while_it_is_sent_is_sent_again() -> None:
    journal: Journal
    row = make_execution()
    later = row.model_copy(update={"state": ExecutionState.ACCEPTED})

    class Slow(FakeExecutionStore):
        def record(self, executions: Sequence[Execution]) -> None:
            super().record(executions)
            if executions == [row]:
                journal.put(later)  # the REST thread, meanwhile

    store = Slow()
    journal = Journal(store, "bot")
    journal.put(row)
    assert journal.flush()
    assert store.rows[row.key] == later


def test_memory_is_bounded_and_unsent_and_unfinished_rows_are_forgotten_last() -> None:
    store = FakeExecutionStore()
    journal = Journal(store, "bot", most_rows=3)
    unfinished = make_execution(make_signal(pair="ETH/USDT"), state=ExecutionState.ORDERED)
    journal.put(unfinished)
    journal.flush()
    for row in rows(6):
        journal.put(row)
        journal.flush()
    assert journal.row(unfinished.signal_id) == unfinished
    assert [journal.row(row.signal_id) is not None for row in rows(6)] == [False] * 4 + [True] * 2


def test_an_outbox_that_is_full_gives_up_its_oldest_row() -> None:
    store = FakeExecutionStore(down=True)
    journal = Journal(store, "bot", most_rows=3)
    for row in rows(5):
        journal.put(row)
    assert journal.unsent == 3
    store.down = False
    journal.flush()
    assert set(store.rows) == {row.key for row in rows(5)[2:]}


def test_rows_of_other_consumers_are_not_taken_over() -> None:
    journal = Journal(FakeExecutionStore(), "bot")
    mine, others = make_execution(), make_execution(make_signal(pair="ETH/USDT"), consumer_id="other")
    journal.adopt([mine, others])
    assert journal.row(mine.signal_id) == mine
    assert journal.row(others.signal_id) is None
    assert journal.unsent == 0
