"""In-memory stores of signals and declarations with the behaviour of the real ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from quantbus_contracts.clock import Clock, truncate_to_milliseconds
from quantbus_contracts.errors import ContractError
from quantbus_contracts.ports import SignalSnapshot, SweepPage, SweepPlace
from quantbus_contracts.schema import (
    Contradiction,
    Declaration,
    PublishedSignal,
    PublishReport,
    PublishRun,
    Rejection,
    Revision,
    Signal,
    Strategy,
)
from quantbus_contracts.testing.clock import FrozenClock
from quantbus_contracts.testing.reachable import Reachable
from quantbus_contracts.timeframe import Timeframe

__all__ = ["FakeSignalStore", "FakeStrategyStore"]


@dataclass
class FakeStrategyStore(Reachable):
    """Declarations in memory."""

    clock: Clock = field(default_factory=FrozenClock)
    standing: dict[str, Declaration] = field(default_factory=dict)

    def declare(self, strategy: Strategy) -> None:
        """Store or replace a declaration."""
        self._check()
        former = self.standing.get(strategy.strategy_id)
        if former is None or former.strategy != strategy:
            self.standing[strategy.strategy_id] = Declaration(
                strategy=strategy,
                version=former.version + 1 if former else 1,
                declared_at=self.clock.now(),
                declared_by="fake",
            )

    def get(self, strategy_id: str) -> Declaration | None:
        """Return the declaration that stands, with its version; None if there is none."""
        self._check()
        return self.standing.get(strategy_id)

    def all(self) -> list[Strategy]:
        """Return every declaration, by id."""
        self._check()
        return [self.standing[name].strategy for name in sorted(self.standing)]

    def declared_at(self) -> dict[str, datetime]:
        """Return since when each declaration stands as it is, by strategy id."""
        self._check()
        return {name: item.declared_at for name, item in self.standing.items() if item.declared_at}


@dataclass
class FakeSignalStore(Reachable):
    """Signals in memory; reader and writer in one. ``clock`` plays the server's.

    With ``strategies`` it keeps to declarations as the bus does, and declares what is new; without, anything goes.
    """

    clock: Clock = field(default_factory=FrozenClock)
    valid_bars: int = 3
    signals: dict[str, PublishedSignal] = field(default_factory=dict)
    evaluations: dict[tuple[str, str, datetime], PublishRun] = field(default_factory=dict)
    strategies: FakeStrategyStore | None = None

    def publish(
        self,
        rows: Sequence[Signal],
        *,
        publisher: str = "fake",
        declaration: Strategy | None = None,
        expected_versions: Mapping[str, int] | None = None,
        dry_run: bool = False,
    ) -> PublishReport:
        """Insert new signals, append revisions, leave equal content untouched."""
        self._check()
        before = dict(self.signals), dict(self.strategies.standing) if self.strategies else {}
        refused = self._undeclared(rows, declaration)
        outcomes: Counter[str] = Counter()
        rejections = []
        for position, signal in enumerate(rows):
            wrong = refused.get(signal.strategy_id) or self._contradiction(signal)
            if wrong is not None:
                rejections.append(Rejection(position, wrong.field, str(wrong.value), wrong.reason))
            else:
                outcomes[self._publish_one(signal, publisher, expected_versions or {})] += 1
        if dry_run:
            self.signals = before[0]
            if self.strategies is not None:
                self.strategies.standing = before[1]
        return PublishReport(
            inserted=outcomes["inserted"],
            revised=outcomes["revised"],
            unchanged=outcomes["unchanged"],
            stale=outcomes["stale"],
            rejections=tuple(rejections),
            signal_ids=tuple(signal.signal_id for signal in rows),
            dry_run=dry_run,
        )

    def _undeclared(self, rows: Sequence[Signal], given: Strategy | None) -> dict[str, Contradiction]:
        """Declare the strategies that are new; return why others cannot be."""
        refused: dict[str, Contradiction] = {}
        if self.strategies is None:
            return refused
        for strategy_id in dict.fromkeys(signal.strategy_id for signal in rows):
            if self.strategies.get(strategy_id) is not None:
                continue
            mine = [signal for signal in rows if signal.strategy_id == strategy_id]
            try:
                own = given if given is not None and given.strategy_id == strategy_id else None
                self.strategies.declare(own or Strategy.derived_from(mine))
            except ContractError as error:
                refused[strategy_id] = Contradiction(error.field, error.value, error.reason)
        return refused

    def _contradiction(self, signal: Signal) -> Contradiction | None:
        declared = self.strategies.get(signal.strategy_id) if self.strategies else None
        if declared is None:
            return None
        wrong = next(declared.strategy.contradictions([signal]))
        most = declared.strategy.max_signals_per_bar
        if wrong is not None or most is None or signal.signal_id in self.signals:
            return wrong
        bar = (signal.strategy_id, signal.timeframe, signal.ts)
        taken = sum(
            (item.signal.strategy_id, item.signal.timeframe, item.signal.ts) == bar
            for item in self.signals.values()
        )
        return Contradiction("ts", signal.ts.isoformat(), f"{most} signals a bar") if taken >= most else None

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

    def latest(
        self, strategy_id: str, timeframe: str | Timeframe, pairs: Sequence[str] | None = None
    ) -> SignalSnapshot:
        """Return the newest signal of each pair (of those named, or of all), without history."""
        return self.newest(strategy_id, Timeframe.parse(timeframe), self._pairs(pairs))

    def as_of(
        self,
        moment: datetime,
        strategy_id: str,
        timeframe: str | Timeframe,
        pairs: Sequence[str] | None = None,
    ) -> SignalSnapshot:
        """Return what `latest` would have shown at ``moment``."""
        stood = {
            key: shown for key, item in self.signals.items() if (shown := item.as_of(moment)) is not None
        }
        then = FakeSignalStore(clock=FrozenClock(moment), signals=stood)
        newest = then.newest(strategy_id, Timeframe.parse(timeframe), self._pairs(pairs)).signals
        return SignalSnapshot(moment, {pair: stood[item.signal_id] for pair, item in newest.items()})

    def _pairs(self, pairs: Sequence[str] | None) -> Sequence[str]:
        return [item.signal.pair for item in self.signals.values()] if pairs is None else pairs

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

    def page(self, strategy_id: str, timeframe: Timeframe, place: SweepPlace, *, limit: int) -> SweepPage:
        """Return at most ``limit`` signals behind ``place``; those of origin ``backfill`` are left out."""
        self._check()
        begin = place.available_at, place.signal_id or ""
        found = [
            item.model_copy(update={"history": ()})
            for item in self.signals.values()
            if (item.signal.strategy_id, item.signal.timeframe) == (strategy_id, timeframe.name)
            and item.signal.origin != "backfill"
            and (item.available_at, item.signal_id) > begin
        ]
        shown = sorted(found, key=lambda item: (item.available_at, item.signal_id))[:limit]
        last = SweepPlace(shown[-1].available_at, shown[-1].signal_id) if len(shown) == limit else None
        return SweepPage(truncate_to_milliseconds(self.clock.now()), tuple(shown), last)

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
