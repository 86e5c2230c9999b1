"""What the monitor reads from the bus, as a protocol, so that checks do not know stores."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from quantbus_contracts import Execution, Heartbeat, PublishedSignal, PublishRun, Strategy, Timeframe

__all__ = ["BusView"]


class BusView(Protocol):
    """The bus as it stands now. Every method may raise `BusUnavailable`."""

    async def strategies(self) -> Sequence[Strategy]:
        """Return every declared strategy."""
        ...

    async def declared_at(self) -> Mapping[str, datetime]:
        """Return when each strategy was first declared, by strategy id."""
        ...

    async def last_candles(self, timeframe: Timeframe) -> Mapping[str, datetime]:
        """Return the open time of the newest bar of every symbol that has one."""
        ...

    async def last_run(self, strategy: Strategy) -> PublishRun | None:
        """Return the newest evaluation of a strategy; None if there is none."""
        ...

    async def live_signals(self, since: datetime) -> Sequence[PublishedSignal]:
        """Return the signals of origin ``live`` that were published or revised since, oldest first."""
        ...

    async def newest_signals(self, strategy: Strategy) -> Sequence[PublishedSignal]:
        """Return the newest signal of each pair of a strategy."""
        ...

    async def executions(self, since: datetime) -> Sequence[Execution]:
        """Return the rows of the ledger that were seen at or after ``since``, oldest first."""
        ...

    async def filled(self, since: datetime) -> Sequence[Execution]:
        """Return those of them that ended in a fill."""
        ...

    async def executions_of(self, signal_id: str) -> Sequence[Execution]:
        """Return what every consumer did with one signal."""
        ...

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Return the newest sign of life of every process."""
        ...
