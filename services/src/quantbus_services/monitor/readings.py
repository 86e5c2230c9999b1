"""Brings the gauges up to date, and lets each new signal and ledger row be counted once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from quantbus_contracts import PublishedSignal, Strategy, Timeframe
from quantbus_contracts.errors import BusUnavailable, QuantbusError
from quantbus_contracts.schema import ControlKind
from quantbus_services.monitor.checks import Limits
from quantbus_services.monitor.checks.orders.order_rejects import rejects_in_a_row
from quantbus_services.monitor.due import (
    NEVER,
    candle_due_at,
    run_due_at,
    streams_of,
)
from quantbus_services.monitor.hops import Bar, Hops
from quantbus_services.monitor.metrics import ChainMetrics, LedgerMetrics, PlatformMetrics, set_all
from quantbus_services.monitor.view import BusView

__all__ = ["COUNTED_UNTIL", "Readings"]

COUNTED_UNTIL = "counted_until"
"""Where in the monitor's own sign of life stands up to which moment its counters have counted."""
_FURTHEST_BACK = timedelta(minutes=30)
"""What happened while no monitor ran is counted by the next one, unless it is longer ago than this."""


class Readings:
    """Takes the figures from the bus to the metrics.

    Gauges say what stands on the bus. Histograms and counters count each signal and each row of the ledger once:
    from where the process before this one, of the same ``instance``, stopped.
    """

    def __init__(
        self,
        view: BusView,
        chain: ChainMetrics,
        ledger: LedgerMetrics,
        platform: PlatformMetrics,
        limits: Limits,
        *,
        instance: str = "main",
    ) -> None:
        """Read ``view`` into the metrics."""
        self._view = view
        self._chain = chain
        self._ledger = ledger
        self._platform = platform
        self._limits = limits
        self._instance = instance
        self._hops: Hops | None = None
        self.counted_until: datetime | None = None
        """Up to which moment of the bus's clock everything is counted; None before the first look."""

    async def resume(self, now: datetime) -> None:
        """Find out where the process before this one stopped; only the first call does anything."""
        await self._resumed(now)

    async def _resumed(self, now: datetime) -> Hops:
        if self._hops is not None:
            return self._hops
        told = [
            beat.detail.get(COUNTED_UNTIL)
            for beat in await self._view.heartbeats()
            if (beat.process, beat.instance) == ("monitor", self._instance)
        ]
        since = _moment(told[0] if told else None)
        since = now if since is None else max(min(since, now), now - _FURTHEST_BACK)
        self._hops = Hops(self._chain, self._ledger, since=since)
        self.counted_until = since
        return self._hops

    async def take(self, now: datetime) -> None:
        """Take every reading at ``now`` (the bus's clock)."""
        hops = await self._resumed(now)
        strategies = await self._view.strategies()
        await self._candles(strategies)
        await self._strategies(strategies)
        set_all(
            self._chain.heartbeat,
            {(beat.process, beat.instance): beat.at.timestamp() for beat in await self._view.heartbeats()},
        )
        await self._count(hops, now)
        await self._ledger_figures(now)
        await self._platform_figures(now)
        self.counted_until = now

    async def _candles(self, strategies: Sequence[Strategy]) -> None:
        last: dict[tuple[str, ...], float] = {}
        due: dict[tuple[str, ...], float] = {}
        streams = streams_of(strategies, await self._view.declared_at())
        for (symbol, timeframe), needed_since in streams.items():
            newest = (await self._view.last_candles(timeframe)).get(symbol)
            due_at = candle_due_at(timeframe, newest, self._limits.candle_grace, needed_since=needed_since)
            last[symbol, timeframe.name] = (newest or NEVER).timestamp()
            due[symbol, timeframe.name] = due_at.timestamp()
        set_all(self._chain.candle_last, last)
        set_all(self._chain.candle_due, due)

    async def _strategies(self, strategies: Sequence[Strategy]) -> None:
        runs: dict[tuple[str, ...], float] = {}
        due: dict[tuple[str, ...], float] = {}
        signals: dict[tuple[str, ...], float] = {}
        declared_at = await self._view.declared_at()
        last_runs, last_signals = await self._view.last_runs(), await self._view.last_signals()
        for strategy in strategies:
            labels = (strategy.strategy_id,)
            run = last_runs.get(strategy.strategy_id)
            due_at = run_due_at(
                strategy,
                run.ts if run else None,
                declared_at=declared_at.get(strategy.strategy_id, NEVER),
            )
            runs[labels] = (run.ts if run else NEVER).timestamp()
            due[labels] = due_at.timestamp()
            signals[labels] = last_signals.get(strategy.strategy_id, NEVER).timestamp()
        set_all(self._chain.run_last, runs)
        set_all(self._chain.run_due, due)
        set_all(self._chain.signal_last, signals)

    async def _count(self, hops: Hops, now: datetime) -> None:
        signals = await self._view.live_signals(now - _FURTHEST_BACK)
        new = hops.new_among(signals)
        hops.count_signals(new, await self._arrivals(new))
        rows = await self._view.unsettled()
        hops.count_rows(rows)
        hops.forget_all_but(signals, rows)

    async def _ledger_figures(self, now: datetime) -> None:
        streaks = rejects_in_a_row(await self._view.executions(now - self._limits.orders))
        set_all(self._ledger.rejects_in_a_row, {(bot,): len(streak) for bot, streak in streaks.items()})
        balances: dict[tuple[str, ...], float] = {}
        for balance in await self._view.balances():
            balances[balance.consumer_id, balance.currency, "total"] = balance.total
            balances[balance.consumer_id, balance.currency, "free"] = balance.free
        set_all(self._ledger.balance, balances)

    async def _arrivals(self, signals: Sequence[PublishedSignal]) -> dict[Bar, datetime]:
        wanted: dict[str, set[tuple[str, datetime]]] = {}
        for published in signals:
            if published.signal.computed_at is not None:
                bar = published.signal.symbol, published.signal.ts
                wanted.setdefault(published.signal.timeframe, set()).add(bar)
        found: dict[Bar, datetime] = {}
        for timeframe, bars in sorted(wanted.items()):
            arrived = await self._view.arrivals(Timeframe.parse(timeframe), bars)
            found |= {(symbol, timeframe, opened): at for (symbol, opened), at in arrived.items()}
        return found

    async def _platform_figures(self, now: datetime) -> None:
        in_force = [control for control in await self._view.controls() if control.is_active(now)]
        for kind in ControlKind:
            count = sum(control.kind is kind for control in in_force)
            self._platform.controls.labels(kind.value).set(count)
        try:
            health = await self._view.health()
        except BusUnavailable:
            raise
        except QuantbusError:  # the checks that need it say why
            self._platform.forget_health()
            return
        self._platform.disk.labels("size").set(health.disk_size_bytes)
        self._platform.disk.labels("free").set(health.disk_free_bytes)
        states: dict[tuple[str, ...], float] = {}
        for member in health.members:
            states[member.state,] = states.get((member.state,), 0) + 1
        set_all(self._platform.members, states)
        lags: dict[tuple[str, ...], float] = {
            (member.name,): member.lag_seconds for member in health.members if member.lag_seconds is not None
        }
        set_all(self._platform.replica_lag, lags)


def _moment(told: object) -> datetime | None:
    if not isinstance(told, str):
        return None
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
