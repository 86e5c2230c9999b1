"""The monitor's view of the real bus: each question is asked once a cycle, whoever wants the answer."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar, cast

from quantbus_contracts import Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe
from quantbus_contracts.mongo.candle_reader import AsyncCandleReader
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.mongo.signal_reader import AsyncSignalReader
from quantbus_contracts.mongo.strategies import AsyncStrategyStore
from quantbus_contracts.schema import ExecutionState

__all__ = ["StoredView"]

Answer = TypeVar("Answer")
MOST_SIGNALS = 100_000
"""In one look back: a bound against running out of memory, far above what a quarter of an hour brings."""


class StoredView:
    """A `BusView` over the stores; `begin_cycle` makes it look again."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._candles = AsyncCandleReader(connection)
        self._signals = AsyncSignalReader(connection)
        self._executions = AsyncExecutionReader(connection)
        self._strategies = AsyncStrategyStore(connection)
        self._heartbeats = AsyncHeartbeatStore(connection)
        self._answers: dict[Hashable, object] = {}

    def begin_cycle(self) -> None:
        """Forget the answers of the last cycle."""
        self._answers.clear()

    async def strategies(self) -> Sequence[Strategy]:
        """Return every declared strategy."""
        return await self._once("strategies", self._strategies.all)

    async def declared_at(self) -> Mapping[str, datetime]:
        """Return when each strategy was first declared, by strategy id."""
        return await self._once("declared_at", self._strategies.declared_at)

    async def last_candles(self, timeframe: Timeframe) -> Mapping[str, datetime]:
        """Return the open time of the newest bar of every symbol that has one."""
        return await self._once(("last_candles", timeframe), lambda: self._candles.last_open_times(timeframe))

    async def last_run(self, strategy: Strategy) -> PublishRun | None:
        """Return the newest evaluation of a strategy; None if there is none."""
        timeframe = Timeframe.parse(strategy.timeframe)
        return await self._once(
            ("last_run", strategy.key), lambda: self._signals.last_run(strategy.strategy_id, timeframe)
        )

    async def live_signals(self, since: datetime) -> Sequence[PublishedSignal]:
        """Return the signals of origin ``live`` that were published or revised since, oldest first."""

        async def live() -> Sequence[PublishedSignal]:
            found = await self._signals.published_since(since, limit=MOST_SIGNALS)
            return [signal for signal in found if signal.signal.origin == "live"]

        return await self._once(("live", since), live)

    async def newest_signals(self, strategy: Strategy) -> Sequence[PublishedSignal]:
        """Return the newest signal of each pair of a strategy."""

        async def newest() -> Sequence[PublishedSignal]:
            timeframe = Timeframe.parse(strategy.timeframe)
            snapshot = await self._signals.newest(strategy.strategy_id, timeframe, strategy.pairs)
            return list(snapshot.signals.values())

        return await self._once(("newest", strategy.key), newest)

    async def executions(self, since: datetime) -> Sequence[Execution]:
        """Return the rows of the ledger that were seen at or after ``since``, oldest first."""
        return await self._once(("executions", since), lambda: self._executions.since(since))

    async def filled(self, since: datetime) -> Sequence[Execution]:
        """Return those of them that ended in a fill."""
        return await self._once(
            ("filled", since), lambda: self._executions.since(since, states=[ExecutionState.FILLED])
        )

    async def executions_of(self, signal_id: str) -> Sequence[Execution]:
        """Return what every consumer did with one signal."""
        return await self._once(("of", signal_id), lambda: self._executions.of_signal(signal_id))

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Return the newest sign of life of every process."""
        return await self._once("heartbeats", self._heartbeats.all)

    async def _once(self, question: Hashable, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        if question not in self._answers:
            self._answers[question] = await ask()
        return cast("Answer", self._answers[question])
