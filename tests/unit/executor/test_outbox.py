"""What the bus has not taken yet survives a killed process, a dead bus and a full disk."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import ExecutionState
from quantbus_contracts.testing import FakeExecutionStore, make_execution, make_signal
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.outbox import Outbox

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def bodies(outbox: Outbox, kind: str = "k") -> list[str]:
    return [letter.body for letter in outbox.oldest(kind, 100)]


def test_letters_and_places_are_there_after_a_restart_oldest_first_and_newest_state_only(
    tmp_path: Path,
) -> None:
    outbox = Outbox(tmp_path / "a" / "out.sqlite")
    for key, body in (("1", "one"), ("2", "two"), ("1", "one again")):
        outbox.lay("k", key, body)
    outbox.keep_place("sweep", NOON)
    again = Outbox(tmp_path / "a" / "out.sqlite")
    assert bodies(again) == ["two", "one again"]
    assert again.place("sweep") == NOON
    assert (tmp_path / "a" / "out.sqlite").stat().st_mode & 0o777 == 0o600


def test_what_was_sent_is_gone_unless_it_is_kept_or_changed_meanwhile(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "out.sqlite")
    for key in "abc":
        outbox.lay("k", key, f"{key}1")
    batch = outbox.oldest("k", 10)
    outbox.lay("k", "b", "b2")
    outbox.sent(batch, keep={"a"})
    assert bodies(outbox) == ["b2"]
    again = Outbox(tmp_path / "out.sqlite")
    assert [(letter.body, letter.sent) for letter in again.all("k")] == [("a1", True), ("b2", False)]
    again.lay("k", "a", "a2")
    assert bodies(again) == ["b2", "a2"]


def test_a_process_killed_right_after_it_laid_a_letter_has_laid_it(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from quantbus_executor.ledger.outbox import Outbox\n"
        "outbox = Outbox(pathlib.Path(sys.argv[1]))\n"
        "for number in range(20):\n"
        "    outbox.lay('k', str(number), str(number))\n"
        f"os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    )
    path = tmp_path / "out.sqlite"
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(bodies(Outbox(path))) == 20


def test_what_is_changed_together_is_flushed_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "out.sqlite")
    with outbox.together():
        outbox.lay("k", "1", "one")
        outbox.lay("k", "2", "two")
        assert bodies(Outbox(tmp_path / "out.sqlite")) == []
    assert bodies(Outbox(tmp_path / "out.sqlite")) == ["one", "two"]


def test_a_disk_that_takes_no_more_stops_nothing_and_gets_all_of_it_later(tmp_path: Path) -> None:
    path = tmp_path / "out.sqlite"
    outbox = Outbox(path)
    outbox.lay("k", "0", "before")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as good as a full disk: every write fails
    outbox.lay("k", "1", "one")
    with outbox.together():
        outbox.lay("k", "2", "two")
    outbox.keep_place("sweep", NOON)
    assert bodies(outbox) == ["before", "one", "two"]
    other.execute("ROLLBACK")
    outbox.lay("k", "3", "three")
    again = Outbox(path)
    assert bodies(again) == ["before", "one", "two", "three"]
    assert again.place("sweep") == NOON


def test_a_file_that_is_no_outbox_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "out.sqlite"
    path.write_bytes(os.urandom(4_096))
    with pytest.raises(ConfigError, match="move it away"):
        Outbox(path)


def test_two_threads_may_change_it_at_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "out.sqlite")
    writer = FakeExecutionStore(down=True)
    journal = Journal(writer, "bot", outbox=outbox)

    def put(name: str) -> None:
        for number in range(30):
            with outbox.together() if number % 2 else journal.together():
                journal.put(make_execution(make_signal(strategy_id=f"{name}-{number}")))

    threads = [threading.Thread(target=put, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert journal.unsent == 60
    assert len(Outbox(tmp_path / "out.sqlite").oldest("execution", 100)) == 60


def test_rows_that_have_not_come_to_an_end_are_known_to_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "out.sqlite"
    store = FakeExecutionStore()
    journal = Journal(store, "bot", outbox=Outbox(path))
    waiting = make_execution(make_signal(pair="ETH/USDT"))
    over = make_execution(state=ExecutionState.REFUSED, reason="stale")
    journal.put(waiting)
    journal.put(over)
    assert journal.flush()
    again = Journal(store, "bot", outbox=Outbox(path))
    assert again.restored == [waiting]
    assert again.waiting() == [waiting]
    assert again.unsent == 0
    again.put(waiting.model_copy(update={"state": ExecutionState.REFUSED, "reason": "stale"}))
    store.down = True
    assert not again.flush()
    unsent = Journal(store, "bot", outbox=Outbox(path))
    store.down = False
    assert unsent.flush()
    assert store.rows[waiting.key].state is ExecutionState.REFUSED
    assert Journal(store, "bot", outbox=Outbox(path)).restored == []


def test_rows_of_another_consumer_in_the_file_are_sent_but_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "out.sqlite"
    store = FakeExecutionStore()
    row = make_execution(consumer_id="another")
    Journal(store, "another", outbox=Outbox(path)).put(row)
    journal = Journal(store, "bot", outbox=Outbox(path))
    assert journal.row(row.signal_id) is None
    assert journal.flush()
    assert store.rows[row.key] == row
