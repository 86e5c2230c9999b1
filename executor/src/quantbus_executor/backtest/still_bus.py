"""What else a follower needs of a bus, where there is none to write to: kept in memory, for this run alone."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from quantbus_contracts.clock import Clock
from quantbus_contracts.ports import RestraintSnapshot
from quantbus_contracts.schema import Execution, ExecutionState, Heartbeat

__all__ = ["MemoryLedger", "NoHeartbeats", "NoRestraints"]


class MemoryLedger:
    """The ledger of one run: what a bot would have written to ``executions``."""

    def __init__(self) -> None:
        """Hold no row yet."""
        self._rows: dict[str, Execution] = {}

    def record(self, executions: Sequence[Execution]) -> None:
        """Keep the newest state of each row."""
        self._rows |= {row.signal_id: row for row in executions}

    def since(
        self,
        moment: datetime,
        *,
        states: Collection[ExecutionState] | None = None,
        consumer_id: str | None = None,
    ) -> list[Execution]:
        """Return the rows seen at or after ``moment``, oldest first."""
        found = [
            row
            for row in self._rows.values()
            if row.seen_at >= moment
            and consumer_id in (None, row.consumer_id)
            and (states is None or row.state in states)
        ]
        return sorted(found, key=lambda row: row.seen_at)

    def of_signal(self, signal_id: str) -> list[Execution]:
        """Return what became of one signal."""
        row = self._rows.get(signal_id)
        return [row] if row is not None else []

    def of_consumer(self, consumer_id: str, signal_ids: Collection[str]) -> list[Execution]:
        """Return what became of these signals."""
        return [self._rows[signal_id] for signal_id in signal_ids if signal_id in self._rows]

    def rows(self) -> list[Execution]:
        """Return every row, by bar and pair."""
        return sorted(self._rows.values(), key=lambda row: (row.ts, row.pair))

    def save(self, path: Path) -> None:
        """Write the rows as lines of JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(f"{row.model_dump_json()}\n" for row in self.rows())
        path.write_text(lines, encoding="utf-8")


class NoRestraints:
    """Nothing is in force: what was in force in the past is not on the bus any more."""

    def __init__(self, clock: Clock) -> None:
        """Answer with the time of ``clock``."""
        self._clock = clock

    def in_force(self, strategy_id: str) -> RestraintSnapshot:
        """Return nothing."""
        return RestraintSnapshot(now=self._clock.now())


class NoHeartbeats:
    """Nobody watches a rehearsal."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Forget it."""

    def all(self) -> list[Heartbeat]:
        """Return nothing."""
        return []
