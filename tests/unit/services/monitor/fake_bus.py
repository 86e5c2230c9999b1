"""A bus in memory as the monitor sees it, and a bot that says what it is told to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quantbus_contracts import Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe
from quantbus_contracts.errors import BusError
from quantbus_contracts.schema import (
    BROKEN_GAPS,
    FINAL_STATES,
    AccountSnapshot,
    AuditFinding,
    Balance,
    BusHealth,
    Control,
    ExecutionState,
    Gap,
    Lease,
    MemberHealth,
    RecordedFinding,
)
from quantbus_contracts.testing import (
    FakeAccountBooks,
    FakeCandleStore,
    FakeControlStore,
    FakeExecutionStore,
    FakeHeartbeatStore,
    FakeSignalStore,
    FakeStrategyStore,
    FrozenClock,
)
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from quantbus_services.monitor.freqtrade_figures import BotFigures
from quantbus_services.monitor.reconciliation.sides import BotBook, ClosedTrade, OpenTrade, Told
from quantbus_services.monitor.view import AuditState

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
        self.books = FakeAccountBooks()
        self.control_store = FakeControlStore(clock=clock)
        self.offset_seconds = 0.0
        self.ingested: dict[tuple[str, datetime], datetime] = {}
        self.known_gaps: list[Gap] = []
        self.audit_findings: list[AuditFinding] = []
        self.snapshots: dict[str, AccountSnapshot] = {}
        self.known_leases: list[Lease] = []
        self.findings: list[RecordedFinding] = []
        self.server: BusHealth | None = BusHealth(
            members=(MemberHealth("localhost:27017", "primary", 0.0),),
            disk_size_bytes=100 * 2**30,
            disk_free_bytes=50 * 2**30,
        )
        """None: the server does not say."""
        self.keep_settled = False
        """Whether rows that have come to an end are told of, however old."""
        self.cycles = 0

    def begin_cycle(self, now: datetime) -> None:
        self.cycles += 1

    async def server_now(self) -> datetime:
        self.beats.all()  # raises when the bus is down
        return self.clock.now()

    def go_down(self, *, down: bool = True) -> None:
        for store in (self.candles, self.signal_store, self.strategy_store, self.ledger, self.beats):
            store.down = down
        self.books.down = self.control_store.down = down

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

    async def clock_offset(self) -> float:
        await self.server_now()
        return self.offset_seconds

    async def arrivals(
        self, timeframe: Timeframe, bars: Collection[tuple[str, datetime]]
    ) -> Mapping[tuple[str, datetime], datetime]:
        return {bar: at for bar, at in self.ingested.items() if bar in bars}

    async def gaps(self) -> Sequence[Gap]:
        await self.server_now()
        return [gap for gap in self.known_gaps if gap.state in BROKEN_GAPS]

    async def last_runs(self) -> Mapping[str, PublishRun]:
        found = {
            strategy.strategy_id: self.signal_store.last_run(
                strategy.strategy_id, Timeframe.parse(strategy.timeframe)
            )
            for strategy in self.strategy_store.all()
        }
        return {strategy_id: run for strategy_id, run in found.items() if run is not None}

    async def last_signals(self) -> Mapping[str, datetime]:
        found = {}
        for strategy in self.strategy_store.all():
            newest = [signal.signal.ts for signal in await self.newest_signals(strategy)]
            if newest:
                found[strategy.strategy_id] = max(newest)
        return found

    async def live_signals(self, since: datetime) -> Sequence[PublishedSignal]:
        found = self.signal_store.published_since(since)
        return [signal for signal in found if signal.signal.origin == "live"]

    async def newest_signals(self, strategy: Strategy) -> Sequence[PublishedSignal]:
        timeframe = Timeframe.parse(strategy.timeframe)
        snapshot = self.signal_store.newest(strategy.strategy_id, timeframe, strategy.pairs)
        return list(snapshot.signals.values())

    async def executions(self, since: datetime) -> Sequence[Execution]:
        return self.ledger.since(since)

    async def unsettled(self) -> Sequence[Execution]:
        hour_ago = self.clock.now() - timedelta(hours=1)
        rows = self.ledger.since(datetime.min.replace(tzinfo=hour_ago.tzinfo))
        return [
            row
            for row in rows
            if self.keep_settled or row.seen_at >= hour_ago or row.state not in FINAL_STATES
        ]

    async def filled(self, since: datetime) -> Sequence[Execution]:
        return self.ledger.since(since, states=[ExecutionState.FILLED])

    async def executions_of(self, signal_id: str) -> Sequence[Execution]:
        return self.ledger.of_signal(signal_id)

    async def balances(self) -> Sequence[Balance]:
        return self.books.balances()

    async def heartbeats(self) -> Sequence[Heartbeat]:
        return self.beats.all()

    async def taken_up(self, since: datetime) -> Sequence[Execution]:
        return self.ledger.since(
            since, states=[ExecutionState(name) for name in ("accepted", "ordered", "filled")]
        )

    async def told(self, consumer_id: str, since: datetime) -> Told:
        books = self.books
        return Told(
            tuple(books.positions(consumer_id=consumer_id)),
            tuple(books.fills(consumer_id=consumer_id)),
            tuple(books.balances(consumer_id=consumer_id)),
        )

    async def accounts(self) -> Mapping[str, AccountSnapshot]:
        return self.snapshots

    async def leases(self) -> Sequence[Lease]:
        return self.known_leases

    async def open_findings(self) -> Sequence[RecordedFinding]:
        return self.findings

    async def controls(self) -> Sequence[Control]:
        return self.control_store.snapshot().controls

    async def health(self) -> BusHealth:
        await self.server_now()
        if self.server is None:
            raise BusError("the server does not say (fake)")
        return self.server

    async def audit(self) -> AuditState:
        await self.server_now()
        return AuditState(0, tuple(self.audit_findings))


@dataclass
class FakeBot:
    """Holds the trades it is given; ``down`` makes it not answer."""

    trades: list[OpenTrade] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    lately_closed: list[ClosedTrade] = field(default_factory=list)
    dry_run: bool = True
    down: bool = False
    asked_for_closed: int = 0

    async def book(self) -> BotBook:
        if self.down:
            raise BotUnavailable("the bot is down (fake)")
        return BotBook(tuple(self.trades), tuple(self.lately_closed), dry_run=self.dry_run)

    async def knows_closed(self, trade_id: int) -> bool:
        self.asked_for_closed += 1
        return trade_id in self.closed


def figures(now: datetime, **given: object) -> BotFigures:
    fields: dict[str, object] = {
        "started_at": now,
        "last_process": now,
        "whitelist": frozenset({"BTC/USDT"}),
        "stake_currency": "USDT",
        "equity": 1_000.0,
        "free_stake": 1_000.0,
        "open_trades": 0,
        "closed_trades": 0,
        "profit_ratio": 0.0,
        "drawdown_ratio": 0.0,
        "day_profit_ratio": 0.0,
        **given,
    }
    return BotFigures(**fields)  # type: ignore[arg-type]  # the fields are those of the dataclass


@dataclass
class FakeFigures:
    """Says of the bot what it is told to; a loop that turns all the time unless told otherwise."""

    given: dict[str, object] = field(default_factory=dict)
    down: bool = False

    async def at(self, now: datetime) -> BotFigures:
        if self.down:
            raise BotUnavailable("the bot is down (fake)")
        return figures(now, **self.given)


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
