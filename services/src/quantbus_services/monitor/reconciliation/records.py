"""What the bus holds for reconciliation: as a protocol, and over the stores."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from quantbus_contracts import Execution
from quantbus_contracts.mongo.account_snapshots import AsyncAccountSnapshots
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.consumer_books import AsyncConsumerBooks
from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.findings import AsyncFindingStore
from quantbus_contracts.mongo.leases import AsyncLeaseStore
from quantbus_contracts.schema import AccountSnapshot, ExecutionState, Lease, RecordedFinding
from quantbus_services.monitor.reconciliation.sides import Told

__all__ = ["Records", "StoredRecords"]

_LOOKED_AT = (ExecutionState.ACCEPTED, ExecutionState.ORDERED, ExecutionState.FILLED)


class Records(Protocol):
    """What is asked of the bus. Every method may raise `BusUnavailable`."""

    async def ledger(self, since: datetime) -> Sequence[Execution]:
        """Return the rows of entries and exits that were taken up, seen at or after ``since``."""
        ...

    async def told(self, consumer_id: str, since: datetime) -> Told:
        """Return what a bot has told of itself; its fills since."""
        ...

    async def accounts(self) -> Mapping[str, AccountSnapshot]:
        """Return the newest snapshot of each account."""
        ...

    async def leases(self) -> Sequence[Lease]:
        """Return who trades which account."""
        ...

    async def findings(self) -> Sequence[RecordedFinding]:
        """Return the findings that stand."""
        ...


class StoredRecords:
    """`Records` of the real bus."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._ledger = AsyncExecutionReader(connection)
        self._books = AsyncConsumerBooks(connection)
        self._accounts = AsyncAccountSnapshots(connection)
        self._leases = AsyncLeaseStore(connection)
        self._findings = AsyncFindingStore(connection)

    async def ledger(self, since: datetime) -> Sequence[Execution]:
        """Return the rows of entries and exits that were taken up, seen at or after ``since``."""
        return await self._ledger.since(since, states=_LOOKED_AT)

    async def told(self, consumer_id: str, since: datetime) -> Told:
        """Return what a bot has told of itself; its fills since."""
        books = await self._books.of(consumer_id, fills_since=since)
        return Told(books.positions, books.fills, books.balances)

    async def accounts(self) -> Mapping[str, AccountSnapshot]:
        """Return the newest snapshot of each account."""
        return await self._accounts.newest()

    async def leases(self) -> Sequence[Lease]:
        """Return who trades which account."""
        return await self._leases.all()

    async def findings(self) -> Sequence[RecordedFinding]:
        """Return the findings that stand."""
        return (await self._findings.snapshot()).findings
