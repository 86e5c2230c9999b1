"""In-memory stores of candles, markets, the ledger and heartbeats with the behaviour of the real ones."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quantbus_contracts.schema import (
    Candle,
    CandleReport,
    Execution,
    ExecutionState,
    Heartbeat,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing.reachable import Reachable
from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "FakeCandleStore",
    "FakeExecutionStore",
    "FakeHeartbeatStore",
    "FakeInstrumentStore",
]


@dataclass
class FakeCandleStore(Reachable):
    """Bars in memory; reader and writer in one."""

    bars: dict[tuple[str, str, datetime], Candle] = field(default_factory=dict)

    def write(self, candles: Sequence[Candle]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest untouched."""
        self._check()
        inserted = updated = 0
        newest = {candle.key: candle for candle in candles}
        for key, candle in newest.items():
            stored = self.bars.get(key)
            if stored is None:
                inserted += 1
            elif _values(stored) != _values(candle):
                updated += 1
            else:
                continue
            self.bars[key] = candle
        return CandleReport(inserted, updated, len(newest) - inserted - updated)

    def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        """Return the bars that open in ``[start, end)``, oldest first; with ``limit`` the newest that many."""
        self._check()
        found = [
            candle
            for (name, frame, moment), candle in sorted(self.bars.items(), key=lambda item: item[0])
            if name == symbol and frame == timeframe.name and start <= moment < end
        ]
        return found[-limit:] if limit else found

    def open_times(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[datetime]:
        """Return the open times of stored bars in ``[start, end)``, oldest first."""
        return [candle.open_time for candle in self.candles(symbol, timeframe, start, end)]

    def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """Return the open time of the newest stored bar; None if there is none."""
        self._check()
        times = [key[2] for key in self.bars if key[:2] == (symbol, timeframe.name)]
        return max(times, default=None)

    def last_open_times(self, timeframe: Timeframe) -> dict[str, datetime]:
        """Return the open time of the newest stored bar of every symbol."""
        self._check()
        newest: dict[str, datetime] = {}
        for symbol, frame, moment in self.bars:
            if frame == timeframe.name:
                newest[symbol] = max(moment, newest.get(symbol, moment))
        return newest


def _values(candle: Candle) -> tuple[float, ...]:
    return candle.open, candle.high, candle.low, candle.close, candle.volume


@dataclass
class FakeExecutionStore(Reachable):
    """The ledger in memory; reader and writer in one."""

    rows: dict[tuple[str, str], Execution] = field(default_factory=dict)

    def record(self, executions: Sequence[Execution]) -> None:
        """Store the newest state of each row; of twins the last counts."""
        self._check()
        self.rows |= {execution.key: execution for execution in executions}

    def since(
        self,
        moment: datetime,
        *,
        consumer_id: str | None = None,
        states: Collection[ExecutionState] | None = None,
    ) -> list[Execution]:
        """Return rows seen at or after ``moment``, oldest first; with ``states`` only those in one of them."""
        self._check()
        found = [
            row
            for row in self.rows.values()
            if row.seen_at >= moment
            and consumer_id in (None, row.consumer_id)
            and (states is None or row.state in states)
        ]
        return sorted(found, key=lambda row: row.seen_at)

    def of_signal(self, signal_id: str) -> list[Execution]:
        """Return what every consumer did with one signal."""
        self._check()
        found = [row for row in self.rows.values() if row.signal_id == signal_id]
        return sorted(found, key=lambda row: row.consumer_id)

    def of_consumer(self, consumer_id: str, signal_ids: Collection[str]) -> list[Execution]:
        """Return what one consumer did with these signals."""
        self._check()
        found = [self.rows.get((consumer_id, signal_id)) for signal_id in sorted(set(signal_ids))]
        return [row for row in found if row is not None]


@dataclass
class FakeHeartbeatStore(Reachable):
    """Signs of life in memory."""

    beats: dict[tuple[str, str], Heartbeat] = field(default_factory=dict)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Store the newest sign of life of a process."""
        self._check()
        self.beats[heartbeat.key] = heartbeat

    def all(self) -> list[Heartbeat]:
        """Return the newest sign of life of every process."""
        self._check()
        return [self.beats[key] for key in sorted(self.beats)]


@dataclass
class FakeInstrumentStore(Reachable):
    """Markets in memory."""

    instruments: dict[str, Instrument] = field(default_factory=dict)

    def write(self, instruments: Iterable[Instrument]) -> int:
        """Store the instruments; return how many were new."""
        self._check()
        given = {instrument.symbol: instrument for instrument in instruments}
        new = len(given.keys() - self.instruments.keys())
        self.instruments |= given
        return new

    def all(self, venue: str | None = None) -> list[Instrument]:
        """Return the known instruments, of one venue or of all."""
        self._check()
        return [item for _, item in sorted(self.instruments.items()) if venue in (None, item.venue)]
