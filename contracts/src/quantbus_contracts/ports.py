"""What the processes need from the bus, as protocols; synchronous and asynchronous twins.

Real adapters live in `quantbus_contracts.mongo`, fakes for tests in `quantbus_contracts.testing`; both pass
the same conformance suite. Every method may raise `BusUnavailable`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from quantbus_contracts.schema import (
    Balance,
    Candle,
    CandleReport,
    Control,
    Declaration,
    Execution,
    ExecutionState,
    Fill,
    Heartbeat,
    Holding,
    Lease,
    LeaseBid,
    PublishedSignal,
    PublishReport,
    PublishRun,
    RiskState,
    Signal,
    Strategy,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "AccountBooks",
    "AsyncCandleReader",
    "AsyncCandleWriter",
    "CandleReader",
    "CandleWriter",
    "ControlSnapshot",
    "ControlStore",
    "ExecutionReader",
    "ExecutionWriter",
    "HeartbeatStore",
    "InstrumentStore",
    "LeaseStore",
    "RestraintReader",
    "RestraintSnapshot",
    "RiskSnapshot",
    "RiskStateStore",
    "SignalReader",
    "SignalSnapshot",
    "SignalSweeper",
    "SignalWriter",
    "StrategyStore",
    "SweepPage",
    "SweepPlace",
]


@dataclass(frozen=True, slots=True)
class SignalSnapshot:
    """An answer about signals, with the database's own clock at the time of the answer."""

    now: datetime
    signals: Mapping[str, PublishedSignal] = field(default_factory=dict)
    """By pair."""
    unreadable: tuple[str, ...] = ()
    """Pairs whose newest row is no signal (written past the validators); the others are none the worse for it."""


@dataclass(frozen=True, slots=True)
class ControlSnapshot:
    """An answer about controls, with the database's own clock at the time of the answer."""

    now: datetime
    controls: tuple[Control, ...] = ()
    """By scope and source; lifted and expired ones among them."""


@dataclass(frozen=True, slots=True)
class RiskSnapshot:
    """An answer about risk rows, with the database's own clock at the time of the answer."""

    now: datetime
    states: tuple[RiskState, ...] = ()
    """By strategy and pair; cleared and expired ones among them."""


@dataclass(frozen=True, slots=True)
class RestraintSnapshot:
    """What restrains a strategy's bots at ``now`` (the database's clock): controls and risk rows in force."""

    now: datetime
    controls: tuple[Control, ...] = ()
    states: tuple[RiskState, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Keys of rows in force that this code cannot read; the others are none the worse for them."""


@dataclass(frozen=True, slots=True)
class SweepPlace:
    """A place in the order in which signals reached the bus: behind this one, or from this moment on."""

    available_at: datetime
    signal_id: str | None = None


@dataclass(frozen=True, slots=True)
class SweepPage:
    """Signals in the order in which they reached the bus, without history; ``after`` continues, None at the end."""

    now: datetime
    """The database's clock."""
    signals: tuple[PublishedSignal, ...] = ()
    after: SweepPlace | None = None


class CandleReader(Protocol):
    """Reads closed bars."""

    def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        """Return the bars that open in ``[start, end)``, oldest first; with ``limit`` the newest that many."""
        ...

    def open_times(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[datetime]:
        """Return the open times of stored bars in ``[start, end)``, oldest first."""
        ...

    def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """Return the open time of the newest stored bar; None if there is none."""
        ...


class CandleWriter(Protocol):
    """Writes closed bars; writing twice equals writing once."""

    def write(self, candles: Sequence[Candle]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest untouched."""
        ...


class AsyncCandleReader(Protocol):
    """`CandleReader` for services."""

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        """Return the bars that open in ``[start, end)``, oldest first; with ``limit`` the newest that many."""
        ...

    async def open_times(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[datetime]:
        """Return the open times of stored bars in ``[start, end)``, oldest first."""
        ...

    async def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        """Return the open time of the newest stored bar; None if there is none."""
        ...


class AsyncCandleWriter(Protocol):
    """`CandleWriter` for services."""

    async def write(self, candles: Sequence[Candle]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest untouched."""
        ...


class InstrumentStore(Protocol):
    """The markets of the venues."""

    def write(self, instruments: Iterable[Instrument]) -> int:
        """Store the instruments; return how many were new."""
        ...

    def all(self, venue: str | None = None) -> list[Instrument]:
        """Return the known instruments, of one venue or of all."""
        ...


class SignalReader(Protocol):
    """Reads signals; from the primary, with majority read concern."""

    def newest(
        self,
        strategy_id: str,
        timeframe: Timeframe,
        pairs: Sequence[str],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> SignalSnapshot:
        """Return each pair's newest signal (by ``ts``, with ``since <= ts <= until``) in one query.

        Without ``until``, one row stamped far in the future would hide every other of its pair.
        """
        ...

    def get(self, signal_id: str) -> PublishedSignal | None:
        """Return one signal with its history; None if unknown."""
        ...

    def range(
        self, strategy_id: str, timeframe: Timeframe, pair: str, start: datetime, end: datetime
    ) -> list[PublishedSignal]:
        """Return a pair's signals with ``ts`` in ``[start, end)``, oldest first."""
        ...

    def runs(
        self, strategy_id: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[PublishRun]:
        """Return the evaluations with ``ts`` in ``[start, end)``, oldest first."""
        ...

    def last_run(self, strategy_id: str, timeframe: Timeframe) -> PublishRun | None:
        """Return the newest evaluation (by ``ts``); None if there is none."""
        ...


class SignalSweeper(Protocol):
    """Goes through every signal of a strategy that may ever trade, also through those that newer ones hide."""

    def page(self, strategy_id: str, timeframe: Timeframe, place: SweepPlace, *, limit: int) -> SweepPage:
        """Return at most ``limit`` signals behind ``place``; those of origin ``backfill`` are left out."""
        ...


class SignalWriter(Protocol):
    """Writes signals; idempotent by key and content."""

    def publish(self, signals: Sequence[Signal], *, publisher: str) -> PublishReport:
        """Insert new signals, append revisions, leave equal content untouched."""
        ...

    def record_run(self, run: PublishRun) -> None:
        """Note that a strategy was evaluated for a bar; the newest note wins."""
        ...


class StrategyStore(Protocol):
    """Declarations of strategies."""

    def declare(self, strategy: Strategy) -> None:
        """Store or replace a declaration."""
        ...

    def get(self, strategy_id: str) -> Declaration | None:
        """Return the declaration that stands, with its version; None if there is none."""
        ...

    def all(self) -> list[Strategy]:
        """Return every declaration, by id."""
        ...

    def declared_at(self) -> dict[str, datetime]:
        """Return since when each declaration stands as it is (the database's clock), by strategy id."""
        ...


class ExecutionWriter(Protocol):
    """Writes the ledger."""

    def record(self, executions: Sequence[Execution]) -> None:
        """Store the newest state of each row; equal rows are not written again."""
        ...


class ExecutionReader(Protocol):
    """Reads the ledger."""

    def since(
        self,
        moment: datetime,
        *,
        consumer_id: str | None = None,
        states: Collection[ExecutionState] | None = None,
    ) -> list[Execution]:
        """Return rows seen at or after ``moment``, oldest first; with ``states`` only those in one of them."""
        ...

    def of_signal(self, signal_id: str) -> list[Execution]:
        """Return what every consumer did with one signal."""
        ...

    def of_consumer(self, consumer_id: str, signal_ids: Collection[str]) -> list[Execution]:
        """Return what one consumer did with these signals."""
        ...


class AccountBooks(Protocol):
    """What bots have done and hold, by their own books."""

    def record(self, entries: Sequence[Fill | Holding | Balance]) -> None:
        """Store the newest state of each entry; equal ones are not written again."""
        ...


class HeartbeatStore(Protocol):
    """Signs of life."""

    def beat(self, heartbeat: Heartbeat) -> None:
        """Store the newest sign of life of a process."""
        ...

    def all(self) -> list[Heartbeat]:
        """Return the newest sign of life of every process."""
        ...


class LeaseStore(Protocol):
    """Leases of accounts: one bot at a time trades each."""

    def take(self, bid: LeaseBid, *, over: bool = False) -> Lease:
        """Take or renew a lease if it is free, expired or this run's own; return the lease that stands now.

        With ``over``, also from an earlier run of the same bot (the same ``holder``), at once.
        """
        ...

    def give_up(self, bid: LeaseBid) -> bool:
        """Let the lease end now; tell whether this run held it."""
        ...

    def all(self) -> list[Lease]:
        """Return every lease, expired ones too, by account."""
        ...


class ControlStore(Protocol):
    """Controls of bots; one for each scope and source."""

    def put(self, control: Control) -> None:
        """Store or replace what its source says about its scope."""
        ...

    def lift(self, scope: str, source: str, *, by: str) -> bool:
        """Let the control of ``source`` on ``scope`` end now; tell whether one was in force."""
        ...

    def snapshot(self) -> ControlSnapshot:
        """Return every control, with the database's clock."""
        ...


class RiskStateStore(Protocol):
    """Judgements about the risk of strategies and pairs; one for each strategy and pair."""

    def put(self, state: RiskState) -> None:
        """Store or replace what is said about a strategy and pair."""
        ...

    def clear(self, strategy_id: str, pair: str, *, by: str) -> bool:
        """Let a row end now; tell whether one was in force."""
        ...

    def snapshot(self) -> RiskSnapshot:
        """Return every row, with the database's clock."""
        ...


class RestraintReader(Protocol):
    """What a bot has to know before it acts on a strategy's signals, by one question."""

    def in_force(self, strategy_id: str) -> RestraintSnapshot:
        """Return the controls in force, of any scope, and the strategy's risk rows in force."""
        ...
