"""In-memory stores with the behaviour of the real ones."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quantbus_contracts.clock import Clock, truncate_to_milliseconds
from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.ports import SignalSnapshot
from quantbus_contracts.schema import (
    Candle,
    CandleReport,
    Execution,
    ExecutionState,
    Heartbeat,
    PublishedSignal,
    PublishReport,
    PublishRun,
    Revision,
    Signal,
    Strategy,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing.clock import FrozenClock
from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "FakeCandleStore",
    "FakeExecutionStore",
    "FakeHeartbeatStore",
    "FakeInstrumentStore",
    "FakeSignalStore",
    "FakeStrategyStore",
]


@dataclass
class _Reachable:
    """Set ``down`` to make every method raise `BusUnavailable`."""

    down: bool = False

    def _check(self) -> None:
        if self.down:
            raise BusUnavailable("the bus is down (fake)")


@dataclass
class FakeCandleStore(_Reachable):
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
class FakeSignalStore(_Reachable):
    """Signals in memory; reader and writer in one. ``clock`` plays the server's."""

    clock: Clock = field(default_factory=FrozenClock)
    valid_bars: int = 3
    signals: dict[str, PublishedSignal] = field(default_factory=dict)
    evaluations: dict[tuple[str, str, datetime], PublishRun] = field(default_factory=dict)

    def publish(
        self,
        rows: Sequence[Signal],
        *,
        publisher: str = "fake",
        expected_versions: Mapping[str, int] | None = None,
    ) -> PublishReport:
        """Insert new signals, append revisions, leave equal content untouched."""
        self._check()
        outcomes = Counter(self._publish_one(signal, publisher, expected_versions or {}) for signal in rows)
        return PublishReport(
            inserted=outcomes["inserted"],
            revised=outcomes["revised"],
            unchanged=outcomes["unchanged"],
            stale=outcomes["stale"],
        )

    def _publish_one(self, signal: Signal, publisher: str, expected: Mapping[str, int]) -> str:
        identity = signal.signal_id
        stored = self.signals.get(identity)
        version = stored.version if stored else 0
        if stored and stored.signal.content_hash == signal.content_hash:
            return "unchanged"
        if expected.get(identity, version) != version:
            return "stale"
        history: tuple[Revision, ...] = ()
        if stored:
            former = Revision(
                signal=stored.signal,
                version=stored.version,
                available_at=stored.available_at,
                valid_until=stored.valid_until,
                published_by=stored.published_by,
            )
            history = (*stored.history, former)
        default_end = signal.ts + self.valid_bars * Timeframe.parse(signal.timeframe).delta
        self.signals[identity] = PublishedSignal(
            signal=signal,
            version=version + 1,
            available_at=self.clock.now(),
            valid_until=signal.valid_until or default_end,
            published_by=publisher,
            history=history,
        )
        return "revised" if stored else "inserted"

    def record_run(self, run: PublishRun) -> None:
        """Note that a strategy was evaluated for a bar; the newest note wins."""
        self._check()
        self.evaluations[run.key] = run

    def newest(
        self,
        strategy_id: str,
        timeframe: Timeframe,
        pairs: Sequence[str],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> SignalSnapshot:
        """Return each pair's newest signal (by ``ts``, ``since <= ts <= until``, without history)."""
        self._check()
        newest: dict[str, PublishedSignal] = {}
        for item in self.signals.values():
            signal = item.signal
            if signal.strategy_id != strategy_id or signal.timeframe != timeframe.name:
                continue
            if signal.pair not in pairs or (since is not None and signal.ts < since):
                continue
            if until is not None and signal.ts > until:
                continue
            if signal.pair not in newest or signal.ts > newest[signal.pair].signal.ts:
                newest[signal.pair] = item.model_copy(update={"history": ()})
        return SignalSnapshot(now=truncate_to_milliseconds(self.clock.now()), signals=newest)

    def get(self, signal_id: str) -> PublishedSignal | None:
        """Return one signal with its history; None if unknown."""
        self._check()
        return self.signals.get(signal_id)

    def range(
        self, strategy_id: str, timeframe: Timeframe, pair: str, start: datetime, end: datetime
    ) -> list[PublishedSignal]:
        """Return a pair's signals with ``ts`` in ``[start, end)``, oldest first."""
        self._check()
        found = [
            item
            for item in self.signals.values()
            if (item.signal.strategy_id, item.signal.timeframe, item.signal.pair)
            == (strategy_id, timeframe.name, pair)
            and start <= item.signal.ts < end
        ]
        return sorted(found, key=lambda item: item.signal.ts)

    def runs(
        self, strategy_id: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[PublishRun]:
        """Return the evaluations with ``ts`` in ``[start, end)``, oldest first."""
        self._check()
        found = [
            run
            for (strategy, frame, ts), run in self.evaluations.items()
            if (strategy, frame) == (strategy_id, timeframe.name) and start <= ts < end
        ]
        return sorted(found, key=lambda run: run.ts)

    def last_run(self, strategy_id: str, timeframe: Timeframe) -> PublishRun | None:
        """Return the newest evaluation (by ``ts``); None if there is none."""
        self._check()
        found = [
            run
            for run in self.evaluations.values()
            if (run.strategy_id, run.timeframe) == (strategy_id, timeframe.name)
        ]
        return max(found, key=lambda run: run.ts, default=None)

    def published_since(self, moment: datetime, *, limit: int = 1_000) -> list[PublishedSignal]:
        """Return signals whose newest revision became available at or after ``moment``, oldest first.

        Of their history they carry the first revision only.
        """
        self._check()
        found = [
            item.model_copy(update={"history": item.history[:1]})
            for item in self.signals.values()
            if item.available_at >= moment
        ]
        return sorted(found, key=lambda item: item.available_at)[:limit]


@dataclass
class FakeStrategyStore(_Reachable):
    """Declarations in memory."""

    clock: Clock = field(default_factory=FrozenClock)
    strategies: dict[str, Strategy] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)

    def declare(self, strategy: Strategy) -> None:
        """Store or replace a declaration."""
        self._check()
        if self.strategies.get(strategy.strategy_id) != strategy:
            self.since[strategy.strategy_id] = truncate_to_milliseconds(self.clock.now())
        self.strategies[strategy.strategy_id] = strategy

    def all(self) -> list[Strategy]:
        """Return every declaration, by id."""
        self._check()
        return [self.strategies[name] for name in sorted(self.strategies)]

    def declared_at(self) -> dict[str, datetime]:
        """Return since when each declaration stands as it is, by strategy id."""
        self._check()
        return dict(self.since)


@dataclass
class FakeExecutionStore(_Reachable):
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


@dataclass
class FakeHeartbeatStore(_Reachable):
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
class FakeInstrumentStore(_Reachable):
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
