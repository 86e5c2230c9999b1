"""What the pages ask of the bus, as a protocol, so that they do not know stores."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from quantbus_contracts import Candle, Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe
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
)
from quantbus_contracts.schema.api_key import ApiKey

__all__ = ["Chain", "Reads"]


class Chain(Protocol):
    """What the loop asks as well, and remembers for a while: a page costs no question of its own."""

    async def strategies(self) -> Sequence[Strategy]:
        """Return every declared strategy."""
        ...

    async def declared_at(self) -> Mapping[str, datetime]:
        """Return when each strategy was declared, by strategy id."""
        ...

    async def last_candles(self, timeframe: Timeframe) -> Mapping[str, datetime]:
        """Return the open time of the newest bar of every symbol that has one."""
        ...

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Return the newest sign of life of every process."""
        ...


class Reads(Protocol):
    """Every method may raise `BusUnavailable`; every answer is bounded."""

    async def latest_signals(self, limit: int) -> Sequence[PublishedSignal]:
        """Return the signals last published or revised, the newest first."""
        ...

    async def signals_of(self, strategy: Strategy, limit: int) -> Sequence[PublishedSignal]:
        """Return a strategy's last signals, the newest first."""
        ...

    async def signals_of_pair(self, span: PairSpan, limit: int) -> Sequence[PublishedSignal]:
        """Return the newest signals of a pair, oldest first."""
        ...

    async def ledger_of(self, signal_ids: Collection[str], limit: int) -> Sequence[Execution]:
        """Return what consumers did with these signals."""
        ...

    async def life_of(self, signal_id: str) -> Life | None:
        """Return everything about one signal; None if the bus does not know it."""
        ...

    async def declaration(self, strategy_id: str) -> Declaration | None:
        """Return a strategy's declaration; None if there is none."""
        ...

    async def runs(self, strategy: Strategy, start: datetime, end: datetime) -> Sequence[PublishRun]:
        """Return a strategy's evaluations with ``ts`` in ``[start, end)``, oldest first."""
        ...

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, limit: int
    ) -> Sequence[Candle]:
        """Return the newest bars that open in ``[start, end)``, oldest first."""
        ...

    async def fills(
        self, start: datetime, end: datetime, limit: int, *, pair: str | None = None
    ) -> Sequence[Fill]:
        """Return the newest fills in ``[start, end)``, newest first."""
        ...

    async def broken_gaps(self) -> Sequence[Gap]:
        """Return the gaps in which bars may exist that the bus does not have."""
        ...

    async def holdings(self) -> Sequence[Holding]:
        """Return what is, or was last, known of each pair of each bot."""
        ...

    async def balances(self) -> Sequence[Balance]:
        """Return what each bot has of each currency."""
        ...

    async def accounts(self) -> Sequence[AccountSnapshot]:
        """Return the newest snapshot of each exchange account, by name."""
        ...

    async def findings(self, resolved_since: datetime) -> FindingSnapshot:
        """Return the recorded findings that stand, and those resolved since."""
        ...

    async def controls(self) -> ControlSnapshot:
        """Return every control."""
        ...

    async def risks(self) -> RiskSnapshot:
        """Return every risk row."""
        ...

    async def key(self, key_id: str) -> ApiKey | None:
        """Return the key with this id; None if there is none."""
        ...

    async def put_control(self, control: Control) -> None:
        """Store or replace what its source says about its scope."""
        ...

    async def lift_control(self, scope: str, source: str, *, by: str) -> bool:
        """End a control now; tell whether one was in force."""
        ...

    async def acknowledge(
        self, name: str, *, by: str, reason: str, until: datetime | None
    ) -> RecordedFinding | None:
        """Take on the open finding of this id; None if none is open."""
        ...
