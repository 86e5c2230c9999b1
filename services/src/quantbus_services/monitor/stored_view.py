"""The monitor's view of the real bus: each question is asked once a cycle, whoever wants the answer.

How many questions a cycle asks does not grow with strategies, pairs or signals: signals and the ledger are kept and
brought up to date. Only a strategy that was not there before costs one question more, once.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar, cast

from quantbus_contracts import Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe
from quantbus_contracts.clock import Clock
from quantbus_contracts.mongo.account_books import AsyncAccountBooks
from quantbus_contracts.mongo.audit_walk import AsyncAuditWalk
from quantbus_contracts.mongo.bar_arrivals import AsyncBarArrivals
from quantbus_contracts.mongo.bus_health import AsyncBusHealthReader
from quantbus_contracts.mongo.candle_reader import AsyncCandleReader
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.controls import AsyncControlStore
from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.gaps import AsyncGapStore
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.mongo.last_runs import AsyncLastRuns
from quantbus_contracts.mongo.signal_reader import AsyncSignalReader
from quantbus_contracts.mongo.strategies import AsyncStrategyStore
from quantbus_contracts.schema import (
    BROKEN_GAPS,
    FINAL_STATES,
    Balance,
    BusHealth,
    Control,
    ExecutionState,
    Gap,
)
from quantbus_services.monitor.recent import Recent
from quantbus_services.monitor.reconciliation.stored_records import StoredRecords
from quantbus_services.monitor.view import AuditState

__all__ = ["StoredView"]

Answer = TypeVar("Answer")
MOST_SIGNALS = 100_000
"""In one look back: a bound against running out of memory, far above what a quarter of an hour brings."""
_SIGNALS_REACH = timedelta(minutes=30)
_LEDGER_REACH = timedelta(hours=1)
_UNSETTLED_REACH = timedelta(days=2)
"""How long a row without an end is followed: longer than the interval of a daily signal."""
_MOST_UNSETTLED = 5_000
"""Rows without an end that are asked for again in one cycle, the newest first."""
_OPEN_STATES = frozenset(ExecutionState) - FINAL_STATES


class StoredView(StoredRecords):
    """A `BusView` over the stores; `begin_cycle` makes it look again."""

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        """Read over ``connection``; ``clock`` is this machine's."""
        super().__init__(connection)
        self._connection = connection
        self._clock = clock
        self._candles = AsyncCandleReader(connection)
        self._arrivals = AsyncBarArrivals(connection)
        self._gaps = AsyncGapStore(connection)
        self._signals = AsyncSignalReader(connection)
        self._runs = AsyncLastRuns(connection)
        self._executions = AsyncExecutionReader(connection)
        self._books = AsyncAccountBooks(connection)
        self._strategies = AsyncStrategyStore(connection)
        self._heartbeats = AsyncHeartbeatStore(connection)
        self._controls = AsyncControlStore(connection)
        self._health = AsyncBusHealthReader(connection)
        self._walk = AsyncAuditWalk(connection)
        self._rows_verified = 0
        self._now: datetime | None = None
        self._answers: dict[Hashable, object] = {}
        self._last_signals: dict[tuple[str, str], datetime | None] = {}
        self._ledger_loaded = False
        self._recent_signals = Recent(
            self._published_since,
            key=lambda signal: signal.signal.key,  # its id would have to be computed each time
            moment=lambda signal: signal.available_at,
            reach=_SIGNALS_REACH,
        )
        self._recent_rows = Recent(
            self._executions.since,
            key=lambda row: row.key,
            moment=lambda row: row.seen_at,
            reach=_LEDGER_REACH,
            keeps=self._may_change,
        )

    def begin_cycle(self, now: datetime) -> None:
        """Forget the answers of the last cycle; ``now`` is the bus's clock."""
        self._now = now
        self._answers.clear()

    async def clock_offset(self) -> float:
        """Return by how many seconds the bus's clock is ahead of this machine's."""
        before = self._clock.now()
        now = await self._connection.server_now()
        return (now - (before + (self._clock.now() - before) / 2)).total_seconds()

    async def strategies(self) -> Sequence[Strategy]:
        """Return every declared strategy."""
        return await self._once("strategies", self._strategies.all)

    async def declared_at(self) -> Mapping[str, datetime]:
        """Return when each strategy was first declared, by strategy id."""
        return await self._once("declared_at", self._strategies.declared_at)

    async def last_candles(self, timeframe: Timeframe) -> Mapping[str, datetime]:
        """Return the open time of the newest bar of every symbol that has one."""
        return await self._once(("last_candles", timeframe), lambda: self._candles.last_open_times(timeframe))

    async def arrivals(
        self, timeframe: Timeframe, bars: Collection[tuple[str, datetime]]
    ) -> Mapping[tuple[str, datetime], datetime]:
        """Return when each of these bars (symbol, open time) was written as it stands, where it is there."""
        return await self._arrivals.all_of(timeframe, bars) if bars else {}

    async def gaps(self) -> Sequence[Gap]:
        """Return the gaps in which bars may exist that the bus does not have."""
        return await self._once("gaps", lambda: self._gaps.find(states=BROKEN_GAPS))

    async def last_runs(self) -> Mapping[str, PublishRun]:
        """Return the newest evaluation of each strategy that has one, by strategy id."""
        return await self._once("last_runs", self._runs.all)

    async def last_signals(self) -> Mapping[str, datetime]:
        """Return the bar of the newest signal of each strategy that has one, by strategy id."""
        return await self._once("last_signals", self._newest_bars)

    async def _newest_bars(self) -> Mapping[str, datetime]:
        known = self._last_signals
        declared = {(item.strategy_id, item.timeframe): item for item in await self.strategies()}
        for name in known.keys() - declared.keys():
            del known[name]
        for name, strategy in declared.items():
            if name not in known:
                newest = [signal.signal.ts for signal in await self.newest_signals(strategy)]
                known[name] = max(newest, default=None)
        for published in await self._signals_kept():
            signal = published.signal
            name = signal.strategy_id, signal.timeframe
            if name in known:
                known[name] = max(signal.ts, known[name] or signal.ts)
        return {strategy_id: ts for (strategy_id, _), ts in known.items() if ts is not None}

    async def live_signals(self, since: datetime) -> Sequence[PublishedSignal]:
        """Return the signals of origin ``live`` that were published or revised since, oldest first."""
        return [
            signal
            for signal in await self._signals_kept()
            if signal.available_at >= since and signal.signal.origin == "live"
        ]

    async def newest_signals(self, strategy: Strategy) -> Sequence[PublishedSignal]:
        """Return the newest signal of each pair of a strategy; costs a question for each strategy."""

        async def newest() -> Sequence[PublishedSignal]:
            timeframe = Timeframe.parse(strategy.timeframe)
            snapshot = await self._signals.newest(strategy.strategy_id, timeframe, strategy.pairs)
            return list(snapshot.signals.values())

        return await self._once(("newest", strategy.key), newest)

    async def executions(self, since: datetime) -> Sequence[Execution]:
        """Return the rows of the ledger that were seen at or after ``since``, oldest first; an hour back at most."""
        return [row for row in await self.unsettled() if row.seen_at >= since]

    async def unsettled(self) -> Sequence[Execution]:
        """Return the rows that changed or may still change: the recent ones, and older ones without an end."""
        return await self._once("ledger", self._rows_kept)

    async def filled(self, since: datetime) -> Sequence[Execution]:
        """Return those rows seen since that ended in a fill."""
        return await self._once(
            ("filled", since), lambda: self._executions.since(since, states=[ExecutionState.FILLED])
        )

    async def executions_of(self, signal_id: str) -> Sequence[Execution]:
        """Return what every consumer did with one signal."""
        return await self._once(("of", signal_id), lambda: self._executions.of_signal(signal_id))

    async def balances(self) -> Sequence[Balance]:
        """Return what every bot has, by its own books."""
        return await self._once("balances", self._books.balances)

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Return the newest sign of life of every process."""
        return await self._once("heartbeats", self._heartbeats.all)

    async def controls(self) -> Sequence[Control]:
        """Return every control, lifted and expired ones too."""

        async def ask() -> Sequence[Control]:
            return (await self._controls.snapshot()).controls

        return await self._once("controls", ask)

    async def health(self) -> BusHealth:
        """Return how the database stands."""
        return await self._once("health", self._health.health)

    async def audit(self) -> AuditState:
        """Look at a few more rows of the audit; return what is known of all of it."""

        async def step() -> AuditState:
            seen = await self._walk.step()
            self._rows_verified += seen.rows
            return AuditState(self._rows_verified, seen.findings)

        return await self._once("audit", step)

    async def _published_since(self, moment: datetime) -> Sequence[PublishedSignal]:
        return await self._signals.published_since(moment, limit=MOST_SIGNALS)

    async def _signals_kept(self) -> Sequence[PublishedSignal]:
        async def bring_up() -> Sequence[PublishedSignal]:
            await self._recent_signals.bring_up(await self._bus_now())
            return self._recent_signals.items

        return await self._once("signals", bring_up)

    async def _rows_kept(self) -> Sequence[Execution]:
        now, rows = await self._bus_now(), self._recent_rows
        if not self._ledger_loaded:
            rows.put(await self._executions.since(now - _UNSETTLED_REACH, states=_OPEN_STATES))
            self._ledger_loaded = True
        await rows.bring_up(now)
        waiting = [row.signal_id for row in rows.items if row.state not in FINAL_STATES][-_MOST_UNSETTLED:]
        if waiting:
            rows.put(await self._executions.of_signals(waiting))
        return rows.items

    def _may_change(self, row: Execution) -> bool:
        return (
            row.state not in FINAL_STATES
            and self._now is not None
            and row.seen_at >= self._now - _UNSETTLED_REACH
        )

    async def _bus_now(self) -> datetime:
        return self._now or await self._connection.server_now()

    async def _once(self, question: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        if question not in self._answers:
            self._answers[question] = await ask()
        return cast("Answer", self._answers[question])
