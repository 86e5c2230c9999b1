"""What the monitor reads from the bus, as a protocol, so that checks do not know stores."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from quantbus_contracts import Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe
from quantbus_contracts.schema import AuditFinding, Balance, BusHealth, Control, Gap
from quantbus_services.monitor.reconciliation.records import Records

__all__ = ["AuditState", "BusView"]


@dataclass(frozen=True, slots=True)
class AuditState:
    """What is known of the audit's chains."""

    rows_verified: int
    """Since this process started; a row is looked at again with every round."""
    findings: tuple[AuditFinding, ...] = ()


class BusView(Records, Protocol):
    """The bus as it stands now. Every method may raise `BusUnavailable`.

    However many strategies and pairs there are, an answer costs a fixed number of questions to the database.
    """

    async def clock_offset(self) -> float:
        """Return by how many seconds the bus's clock is ahead of this machine's."""
        ...

    async def strategies(self) -> Sequence[Strategy]:
        """Return every declared strategy."""
        ...

    async def declared_at(self) -> Mapping[str, datetime]:
        """Return when each strategy was first declared, by strategy id."""
        ...

    async def last_candles(self, timeframe: Timeframe) -> Mapping[str, datetime]:
        """Return the open time of the newest bar of every symbol that has one."""
        ...

    async def arrivals(
        self, timeframe: Timeframe, bars: Collection[tuple[str, datetime]]
    ) -> Mapping[tuple[str, datetime], datetime]:
        """Return when each of these bars (symbol, open time) was written as it stands, where it is there."""
        ...

    async def gaps(self) -> Sequence[Gap]:
        """Return the gaps in which bars may exist that the bus does not have."""
        ...

    async def last_runs(self) -> Mapping[str, PublishRun]:
        """Return the newest evaluation of each strategy that has one, by strategy id."""
        ...

    async def last_signals(self) -> Mapping[str, datetime]:
        """Return the bar of the newest signal of each strategy that has one, by strategy id."""
        ...

    async def live_signals(self, since: datetime) -> Sequence[PublishedSignal]:
        """Return the signals of origin ``live`` that were published or revised since, oldest first."""
        ...

    async def newest_signals(self, strategy: Strategy) -> Sequence[PublishedSignal]:
        """Return the newest signal of each pair of a strategy; costs a question for each strategy."""
        ...

    async def executions(self, since: datetime) -> Sequence[Execution]:
        """Return the rows of the ledger that were seen at or after ``since``, oldest first."""
        ...

    async def unsettled(self) -> Sequence[Execution]:
        """Return the rows that changed or may still change: the recent ones, and older ones without an end."""
        ...

    async def filled(self, since: datetime) -> Sequence[Execution]:
        """Return those rows seen since that ended in a fill."""
        ...

    async def executions_of(self, signal_id: str) -> Sequence[Execution]:
        """Return what every consumer did with one signal."""
        ...

    async def balances(self) -> Sequence[Balance]:
        """Return what every bot has, by its own books."""
        ...

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Return the newest sign of life of every process."""
        ...

    async def controls(self) -> Sequence[Control]:
        """Return every control, lifted and expired ones too."""
        ...

    async def health(self) -> BusHealth:
        """Return how the database stands."""
        ...

    async def audit(self) -> AuditState:
        """Look at a few more rows of the audit; return what is known of all of it."""
        ...
