"""A bus in memory as the pages see it, with a day's worth of everything, and a monitor's board above it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from quantbus_contracts import Candle, Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe
from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.mongo.findings import FindingSnapshot
from quantbus_contracts.mongo.glances import PairSpan
from quantbus_contracts.policy import Life
from quantbus_contracts.ports import ControlSnapshot, RiskSnapshot
from quantbus_contracts.schema import (
    AccountSnapshot,
    Balance,
    Control,
    Declaration,
    Fill,
    Gap,
    Holding,
    RecordedFinding,
    RiskState,
)
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_contracts.schema.tokens import Token
from quantbus_contracts.testing import FrozenClock
from quantbus_services.monitor.board import Board, Outcome
from quantbus_services.monitor.checks import CHECKS, Limits
from quantbus_services.monitor.findings import Finding, Severity
from quantbus_services.monitor.pages import Site
from quantbus_services.monitor.status import StrategyStatus

CHECKED = (
    "candle_stale",
    "signal_missing",
    "signal_late",
    "signals_unseen",
    "position_mismatch",
    "heartbeat_lost",
)
NOW = datetime(2026, 1, 5, 12, 30, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Memory:
    """Everything that pages read, as lists; ``down`` makes it not answer."""

    declared: list[Declaration] = field(default_factory=list)
    newest_bars: dict[tuple[str, str], datetime] = field(default_factory=dict)
    beats: list[Heartbeat] = field(default_factory=list)
    signals: list[PublishedSignal] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    evaluations: list[PublishRun] = field(default_factory=list)
    bars: list[Candle] = field(default_factory=list)
    filled: list[Fill] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    held: list[Holding] = field(default_factory=list)
    balance: list[Balance] = field(default_factory=list)
    snapshots: list[AccountSnapshot] = field(default_factory=list)
    recorded: list[RecordedFinding] = field(default_factory=list)
    control_rows: dict[tuple[str, str], Control] = field(default_factory=dict)
    risk_rows: list[RiskState] = field(default_factory=list)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    taken: list[tuple[str, str, str]] = field(default_factory=list)
    now: datetime = NOW
    down: bool = False

    def _look(self) -> None:
        if self.down:
            raise BusUnavailable("expected an answer from the bus, found none (fake)")

    async def strategies(self) -> Sequence[Strategy]:
        self._look()
        return [item.strategy for item in self.declared]

    async def declared_at(self) -> Mapping[str, datetime]:
        return {item.strategy.strategy_id: item.declared_at or NOW for item in self.declared}

    async def last_candles(self, timeframe: Timeframe) -> Mapping[str, datetime]:
        return {symbol: at for (symbol, name), at in self.newest_bars.items() if name == timeframe.name}

    async def heartbeats(self) -> Sequence[Heartbeat]:
        return self.beats

    async def latest_signals(self, limit: int) -> Sequence[PublishedSignal]:
        self._look()
        return sorted(self.signals, key=lambda item: item.available_at, reverse=True)[:limit]

    async def signals_of(self, strategy: Strategy, limit: int) -> Sequence[PublishedSignal]:
        latest = await self.latest_signals(10_000)
        return [item for item in latest if item.signal.strategy_id == strategy.strategy_id][:limit]

    async def signals_of_pair(self, span: PairSpan, limit: int) -> Sequence[PublishedSignal]:
        self._look()
        return [
            item
            for item in sorted(self.signals, key=lambda item: item.signal.ts)
            if item.signal.strategy_id in span.strategy_ids
            and item.signal.pair == span.pair
            and span.start <= item.signal.ts < span.end
        ][-limit:]

    async def ledger_of(self, signal_ids: Collection[str], limit: int) -> Sequence[Execution]:
        return [row for row in self.executions if row.signal_id in signal_ids][:limit]

    async def life_of(self, signal_id: str) -> Life | None:
        self._look()
        published = next((item for item in self.signals if item.signal_id == signal_id), None)
        if published is None:
            return None
        return Life(
            self.now,
            published,
            executions=[row for row in self.executions if row.signal_id == signal_id],
            controls=list(self.control_rows.values()),
            risks=self.risk_rows,
            fills=[fill for fill in self.filled if fill.signal_id == signal_id],
            bots=self.beats,
            ingested_at=published.signal.closes_at + timedelta(milliseconds=350),
        ).confined()

    async def declaration(self, strategy_id: str) -> Declaration | None:
        self._look()
        return next((item for item in self.declared if item.strategy.strategy_id == strategy_id), None)

    async def runs(self, strategy: Strategy, start: datetime, end: datetime) -> Sequence[PublishRun]:
        return [
            run
            for run in self.evaluations
            if run.strategy_id == strategy.strategy_id and start <= run.ts < end
        ]

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, limit: int
    ) -> Sequence[Candle]:
        self._look()
        return [bar for bar in self.bars if bar.symbol == symbol and start <= bar.open_time < end][-limit:]

    async def fills(
        self, start: datetime, end: datetime, limit: int, *, pair: str | None = None
    ) -> Sequence[Fill]:
        return [fill for fill in self.filled if start <= fill.filled_at < end and pair in (None, fill.pair)][
            :limit
        ]

    async def broken_gaps(self) -> Sequence[Gap]:
        return self.gaps

    async def holdings(self) -> Sequence[Holding]:
        return self.held

    async def balances(self) -> Sequence[Balance]:
        return self.balance

    async def accounts(self) -> Sequence[AccountSnapshot]:
        return self.snapshots

    async def findings(self, resolved_since: datetime) -> FindingSnapshot:
        self._look()
        return FindingSnapshot(self.now, tuple(self.recorded))

    async def controls(self) -> ControlSnapshot:
        self._look()
        return ControlSnapshot(self.now, tuple(self.control_rows.values()))

    async def risks(self) -> RiskSnapshot:
        return RiskSnapshot(self.now, tuple(self.risk_rows))

    async def key(self, key_id: str) -> ApiKey | None:
        self._look()
        return self.keys.get(key_id)

    async def put_control(self, control: Control) -> None:
        self._look()
        self.control_rows[control.key] = control

    async def lift_control(self, scope: str, source: str, *, by: str) -> bool:
        control = self.control_rows.get((scope, source))
        if control is None or not control.is_active(self.now):
            return False
        ended = {"expires_at": self.now, "lifted_by": by}
        self.control_rows[control.key] = control.model_copy(update=ended)
        return True

    async def acknowledge(
        self, name: str, *, by: str, reason: str, until: datetime | None
    ) -> RecordedFinding | None:
        found = next((item for item in self.recorded if item.finding_id == name and item.is_open), None)
        if found is not None:
            self.taken.append((name, by, reason))
        return found

    def give_key(self, *, scope: str = "admin", strategies: tuple[str, ...] = (), **given: object) -> str:
        """Store a key; return its secret."""
        token = Token.fresh("api")
        self.keys[token.key_id] = ApiKey.model_validate(
            {
                "key_id": token.key_id,
                "name": "ops",
                "secret_hash": token.secret_hash,
                "scopes": (scope,),
                "strategies": strategies,
                "created_at": self.now - timedelta(days=1),
                **given,
            }
        )
        return token.text


def status_of(strategy: Strategy, *, silent: bool = False, **given: object) -> StrategyStatus:
    fields: dict[str, object] = {
        "strategy_id": strategy.strategy_id,
        "timeframe": strategy.timeframe,
        "pairs": len(strategy.pairs),
        "last_run": None,
        "next_run_due_at": NOW - 5 * MINUTE if silent else NOW + MINUTE,
        "silent": silent,
        "last_signal": None,
        "recent_signals": 0,
        "worst_publish_delay_seconds": None,
        **given,
    }
    return StrategyStatus.model_validate(fields)


def critical(check: str, subject: str, **given: str) -> Finding:
    return Finding(
        kind=given.get("kind", check),
        severity=Severity.CRITICAL,
        subject=subject,
        message=given.get("message", f"expected {subject} to be well, found it otherwise"),
        action=given.get("action", "look at it"),
    )


class Scene:
    """A site over a memory; the board knows that every check is fine unless it is told otherwise."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.clock = FrozenClock(NOW)
        self.board = Board(CHECKED, with_bot=True)
        self.board.bus_answered(0.012)
        self.board.bot_asked(answered=True)
        for check in CHECKED:
            self.find(check)
        self.board.cycle_ended(NOW)
        self.site = Site(
            board=self.board,
            chain=self.memory,
            reads=self.memory,
            clock=self.clock,
            checks=CHECKS,
            limits=Limits(),
            stuck_after=timedelta(minutes=1),
        )

    def find(self, check: str, *findings: Finding, error: str | None = None) -> None:
        self.board.put(Outcome(check, NOW, findings, error))
