"""A bus in memory as the monitor sees it, and a bot that says what it is told to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quantbus_contracts import Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe
from quantbus_contracts.schema import ExecutionState
from quantbus_contracts.testing import (
    FakeCandleStore,
    FakeExecutionStore,
    FakeHeartbeatStore,
    FakeSignalStore,
    FakeStrategyStore,
    FrozenClock,
)
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from quantbus_services.monitor.positions import OpenTrade

MINUTE = Timeframe.parse("1m")


class FakeBus:
    """The stores of contracts' testing room behind the monitor's view of the bus."""

    def __init__(self, clock: FrozenClock) -> None:
        self.clock = clock
        self.candles = FakeCandleStore()
        self.signal_store = FakeSignalStore(clock=clock)
        self.strategy_store = FakeStrategyStore(clock=clock)
        self.ledger = FakeExecutionStore()
        self.beats = FakeHeartbeatStore()
        self.cycles = 0

    def begin_cycle(self) -> None:
        self.cycles += 1

    async def server_now(self) -> datetime:
        self.beats.all()  # raises when the bus is down
        return self.clock.now()

    def go_down(self, *, down: bool = True) -> None:
        for store in (self.candles, self.signal_store, self.strategy_store, self.ledger, self.beats):
            store.down = down

    def declare(self, strategy_id: str = "test", **given: object) -> Strategy:
        strategy = Strategy.model_validate(
            {
                "strategy_id": strategy_id,
                "venue": "BINANCE",
                "timeframe": "1m",
                "pairs": ("BTC/USDT",),
                **given,
            }
        )
        self.strategy_store.declare(strategy)
        return strategy

    def evaluated(self, strategy: Strategy, ts: datetime, signals: int = 0) -> None:
        self.signal_store.record_run(
            PublishRun(
                strategy_id=strategy.strategy_id,
                timeframe=strategy.timeframe,
                ts=ts,
                evaluated_at=self.clock.now(),
                pairs_evaluated=len(strategy.pairs),
                signals=signals,
            )
        )

    async def strategies(self) -> Sequence[Strategy]:
        return self.strategy_store.all()

    async def declared_at(self) -> Mapping[str, datetime]:
        return self.strategy_store.declared_at()

    async def last_candles(self, timeframe: Timeframe) -> Mapping[str, datetime]:
        return self.candles.last_open_times(timeframe)

    async def last_run(self, strategy: Strategy) -> PublishRun | None:
        return self.signal_store.last_run(strategy.strategy_id, Timeframe.parse(strategy.timeframe))

    async def live_signals(self, since: datetime) -> Sequence[PublishedSignal]:
        found = self.signal_store.published_since(since)
        return [signal for signal in found if signal.signal.origin == "live"]

    async def newest_signals(self, strategy: Strategy) -> Sequence[PublishedSignal]:
        timeframe = Timeframe.parse(strategy.timeframe)
        snapshot = self.signal_store.newest(strategy.strategy_id, timeframe, strategy.pairs)
        return list(snapshot.signals.values())

    async def executions(self, since: datetime) -> Sequence[Execution]:
        return self.ledger.since(since)

    async def filled(self, since: datetime) -> Sequence[Execution]:
        return self.ledger.since(since, states=[ExecutionState.FILLED])

    async def executions_of(self, signal_id: str) -> Sequence[Execution]:
        return self.ledger.of_signal(signal_id)

    async def heartbeats(self) -> Sequence[Heartbeat]:
        return self.beats.all()


@dataclass
class FakeBot:
    """Holds the trades it is given; ``down`` makes it not answer."""

    trades: list[OpenTrade] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    down: bool = False
    asked_for_closed: int = 0

    async def open_trades(self) -> list[OpenTrade]:
        if self.down:
            raise BotUnavailable("the bot is down (fake)")
        return list(self.trades)

    async def knows_closed(self, trade_id: int) -> bool:
        self.asked_for_closed += 1
        return trade_id in self.closed


def open_trade(signal_id: str | None, opened_at: datetime, **given: object) -> OpenTrade:
    fields: dict[str, object] = {
        "trade_id": 1,
        "pair": "BTC/USDT",
        "direction": "long",
        "signal_id": signal_id,
        "opened_at": opened_at,
        "in_flight": False,
        **given,
    }
    return OpenTrade(**fields)  # type: ignore[arg-type]  # the fields are those of the dataclass


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)
