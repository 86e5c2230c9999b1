"""The ledger as this bot keeps it: every row's newest state, on its way to the bus through the outbox.

Nothing here raises into Freqtrade. A row that the bus did not take stays in the outbox and is sent again with the
next loop; one that has not come to an end stays there besides, so that a killed bot knows it when it starts again.
Freqtrade calls back from two threads (its loop and its REST API), so rows are kept under a lock.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.execution_writer import ExecutionWriter as MongoExecutionWriter
from quantbus_contracts.ports import ExecutionWriter
from quantbus_contracts.schema import Execution, ExecutionState
from quantbus_executor.ledger.outbox import Outbox
from quantbus_executor.ledger.rows import is_final
from quantbus_executor.ledger.sending import Sender

__all__ = ["Journal", "open_journal"]

logger = logging.getLogger(__name__)
_MOST_ROWS = 10_000
_KIND = "execution"


@dataclass(frozen=True, slots=True)
class _Entry:
    row: Execution
    ref_price: float | None


class Journal:
    """Rows by signal id. What is stored is what was decided; sending it is another matter."""

    def __init__(
        self,
        writer: ExecutionWriter,
        consumer_id: str,
        *,
        outbox: Outbox | None = None,
        most_rows: int = _MOST_ROWS,
    ) -> None:
        """Send through ``writer`` what lies in ``outbox``; keep at most ``most_rows`` in memory."""
        self.consumer_id = consumer_id
        self._outbox = outbox or Outbox(most=most_rows)
        self._sender = Sender(self._outbox, _KIND, Execution.model_validate_json, writer.record)
        self._most_rows = most_rows
        self._entries: dict[str, _Entry] = {}
        self._open: set[str] = set()
        self._lock = self._outbox.lock
        self.forgotten_until: datetime | None = None
        """When the newest of the rows was seen that had no room in memory; None while it had room for all."""
        self.restored = self._restore()
        """The rows that an earlier process left in the outbox."""

    def row(self, signal_id: str) -> Execution | None:
        """Return the newest state of a signal; None if it was never seen."""
        with self._lock:
            entry = self._entries.get(signal_id)
            return entry.row if entry else None

    def ref_price(self, signal_id: str) -> float | None:
        """Return the price that the signal was computed at, where it named one."""
        with self._lock:
            entry = self._entries.get(signal_id)
            return entry.ref_price if entry else None

    def put(self, row: Execution, ref_price: float | None = None) -> None:
        """Keep a row's newest state and lay it into the outbox, unless it is the same already."""
        with self._lock:
            former = self._entries.get(row.signal_id)
            known = former.ref_price if former else None
            self._store(row, ref_price if ref_price is not None else known)
            if former is not None and former.row == row:
                return
            _tell(row, former.row if former else None)
            self._outbox.lay(_KIND, row.signal_id, row.model_dump_json(exclude_none=True))
            self._forget_surplus()

    def adopt(self, rows: Sequence[Execution]) -> list[Execution]:
        """Take over rows as they stand on the bus, where nothing newer is known here; return those."""
        with self._lock:
            adopted = [
                row
                for row in rows
                if row.consumer_id == self.consumer_id and row.signal_id not in self._entries
            ]
            for row in adopted:
                self._store(row, None)
            return adopted

    def unsettled(self) -> list[Execution]:
        """Return the rows that were acted upon and are not final."""
        with self._lock:
            return [row for row in self._open_rows() if row.state is not ExecutionState.SEEN]

    def waiting(self) -> list[Execution]:
        """Return the rows that were seen and nothing more."""
        with self._lock:
            return [row for row in self._open_rows() if row.state is ExecutionState.SEEN]

    def waiting_of(self, pair: str) -> list[Execution]:
        """Return a pair's rows that were seen and nothing more."""
        return [row for row in self.waiting() if row.pair == pair]

    @property
    def unsent(self) -> int:
        """How many rows the bus has not taken yet."""
        return self._outbox.unsent(_KIND)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Flush to the disk once, at the end, what is put inside."""
        with self._outbox.together():
            yield

    def close(self) -> None:
        """Close the outbox; nothing may be put any more."""
        self._outbox.close()

    def flush(self) -> bool:
        """Send what the bus has not taken yet; return whether all of it was taken or dropped as refused."""
        with self._lock:
            unfinished = frozenset(self._open)
        return self._sender.flush(keep=unfinished)

    def _open_rows(self) -> list[Execution]:
        return [self._entries[signal_id].row for signal_id in self._open]

    def _store(self, row: Execution, ref_price: float | None) -> None:
        self._entries[row.signal_id] = _Entry(row, ref_price)
        (self._open.discard if is_final(row) else self._open.add)(row.signal_id)

    def _restore(self) -> list[Execution]:
        restored = []
        for letter in self._outbox.all(_KIND):
            try:
                row = Execution.model_validate_json(letter.body)
            except ValueError as error:  # written by another version
                logger.error("the ledger row of signal %s in the outbox is unreadable: %s", letter.key, error)
                continue
            if row.consumer_id == self.consumer_id:
                self._store(row, None)
                restored.append(row)
        return restored

    def _forget_surplus(self) -> None:
        surplus = len(self._entries) - self._most_rows
        if surplus <= self._most_rows // 10:  # in one go, not one by one
            return
        waiting = {letter.key for letter in self._outbox.all(_KIND)}
        settled = [name for name, entry in self._entries.items() if is_final(entry.row)]
        for name in [name for name in settled if name not in waiting][:surplus]:
            seen_at = self._entries.pop(name).row.seen_at
            self.forgotten_until = max(seen_at, self.forgotten_until or seen_at)


def _tell(row: Execution, former: Execution | None) -> None:
    if former is None or (row.state, row.reason) != (former.state, former.reason):
        logger.info(
            "%s %s of %s (signal %s, version %d): %s%s",
            row.pair,
            row.side or "signal",
            row.ts.isoformat(),
            row.signal_id,
            row.version,
            row.state.value,
            f" ({row.reason})" if row.reason else "",
        )


def open_journal(connection: Connection, consumer_id: str, outbox: Outbox | None = None) -> Journal:
    """Return the journal that sends its rows over ``connection``."""
    return Journal(MongoExecutionWriter(connection), consumer_id, outbox=outbox)
