"""Brings the gauges up to date, and observes each new signal and ledger row once."""

from collections.abc import Sequence
from datetime import datetime

from quantbus_contracts import Execution, PublishedSignal, Strategy
from quantbus_contracts.schema import ExecutionState
from quantbus_services.monitor.checks import Limits
from quantbus_services.monitor.due import (
    NEVER,
    candle_due_at,
    publish_delay,
    run_due_at,
    streams_of,
)
from quantbus_services.monitor.metrics import ChainMetrics, set_all
from quantbus_services.monitor.view import BusView

__all__ = ["Readings"]

_REFUSALS = (ExecutionState.REFUSED, ExecutionState.REJECTED)


class Readings:
    """Takes the figures from the bus to the metrics.

    Gauges say what stands on the bus. Histograms and counters count what became known while this process
    runs, each signal and each ledger row once; what is older was counted by the process before it.
    """

    def __init__(self, view: BusView, metrics: ChainMetrics, limits: Limits) -> None:
        """Read ``view`` into ``metrics``."""
        self._view = view
        self._metrics = metrics
        self._limits = limits
        self._since: datetime | None = None
        self._observed: set[tuple[str, ...]] = set()

    async def take(self, now: datetime) -> None:
        """Take every reading at ``now`` (the bus's clock)."""
        self._since = self._since or now
        strategies = await self._view.strategies()
        await self._candles(strategies)
        await self._strategies(strategies)
        set_all(
            self._metrics.heartbeat,
            {(beat.process, beat.instance): beat.at.timestamp() for beat in await self._view.heartbeats()},
        )
        await self._delays(now, since=self._since)

    async def _candles(self, strategies: Sequence[Strategy]) -> None:
        last: dict[tuple[str, ...], float] = {}
        due: dict[tuple[str, ...], float] = {}
        streams = streams_of(strategies, await self._view.declared_at())
        for (symbol, timeframe), needed_since in streams.items():
            newest = (await self._view.last_candles(timeframe)).get(symbol)
            due_at = candle_due_at(timeframe, newest, self._limits.candle_grace, needed_since=needed_since)
            last[symbol, timeframe.name] = (newest or NEVER).timestamp()
            due[symbol, timeframe.name] = due_at.timestamp()
        set_all(self._metrics.candle_last, last)
        set_all(self._metrics.candle_due, due)

    async def _strategies(self, strategies: Sequence[Strategy]) -> None:
        runs: dict[tuple[str, ...], float] = {}
        due: dict[tuple[str, ...], float] = {}
        signals: dict[tuple[str, ...], float] = {}
        declared_at = await self._view.declared_at()
        for strategy in strategies:
            labels = (strategy.strategy_id,)
            run = await self._view.last_run(strategy)
            newest = [signal.signal.ts for signal in await self._view.newest_signals(strategy)]
            due_at = run_due_at(
                strategy,
                run.ts if run else None,
                declared_at=declared_at.get(strategy.strategy_id, NEVER),
            )
            runs[labels] = (run.ts if run else NEVER).timestamp()
            due[labels] = due_at.timestamp()
            signals[labels] = max(newest, default=NEVER).timestamp()
        set_all(self._metrics.run_last, runs)
        set_all(self._metrics.run_due, due)
        set_all(self._metrics.signal_last, signals)

    async def _delays(self, now: datetime, *, since: datetime) -> None:
        seen: set[tuple[str, ...]] = set()
        for signal in await self._view.live_signals(now - self._limits.recent):
            if signal.first_available_at >= since:
                self._observe_signal(signal, seen)
        for row in await self._view.executions(now - 2 * self._limits.recent):
            if row.seen_at >= since:
                self._observe_row(row, seen)
        self._observed = seen

    def _observe_signal(self, signal: PublishedSignal, seen: set[tuple[str, ...]]) -> None:
        identity = ("signal", signal.signal_id)
        seen.add(identity)
        if identity in self._observed:
            return
        delay = publish_delay(signal).total_seconds()
        self._metrics.publish_delay.labels(signal.signal.strategy_id).observe(max(0.0, delay))

    def _observe_row(self, row: Execution, seen: set[tuple[str, ...]]) -> None:
        identity = ("row", *row.key)
        seen.add(identity)
        if identity not in self._observed:
            delay = (row.seen_at - row.available_at).total_seconds()
            self._metrics.consume_delay.labels(row.consumer_id).observe(max(0.0, delay))
        if row.state not in _REFUSALS:
            return
        refusal = ("refusal", *row.key, str(row.version))
        seen.add(refusal)
        if refusal not in self._observed:
            self._metrics.refused.labels(row.consumer_id, row.reason).inc()
