"""What the real bus holds for reconciliation."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from quantbus_contracts import Execution
from quantbus_contracts.mongo.account_snapshots import AsyncAccountSnapshots
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.consumer_books import AsyncConsumerBooks
from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.findings import AsyncFindingStore
from quantbus_contracts.mongo.leases import AsyncLeaseStore
from quantbus_contracts.schema import AccountSnapshot, ExecutionState, Lease, RecordedFinding
from quantbus_services.monitor.reconciliation.sides import Told

__all__ = ["StoredRecords"]

_LOOKED_AT = (ExecutionState.ACCEPTED, ExecutionState.ORDERED, ExecutionState.FILLED)


class StoredRecords:
    """`Records` over the stores."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._taken_up = AsyncExecutionReader(connection)
        self._told = AsyncConsumerBooks(connection)
        self._snapshots = AsyncAccountSnapshots(connection)
        self._leasing = AsyncLeaseStore(connection)
        self._found = AsyncFindingStore(connection)

    async def taken_up(self, since: datetime) -> Sequence[Execution]:
        """Return the rows of entries and exits that were taken up, seen at or after ``since``."""
        return await self._taken_up.since(since, states=_LOOKED_AT)

    async def told(self, consumer_id: str, since: datetime) -> Told:
        """Return what a bot has told of itself; its fills since."""
        books = await self._told.of(consumer_id, fills_since=since)
        return Told(books.positions, books.fills, books.balances)

    async def accounts(self) -> Mapping[str, AccountSnapshot]:
        """Return the newest snapshot of each account."""
        return await self._snapshots.newest()

    async def leases(self) -> Sequence[Lease]:
        """Return who trades which account."""
        return await self._leasing.all()

    async def open_findings(self) -> Sequence[RecordedFinding]:
        """Return the findings that stand."""
        return (await self._found.snapshot()).findings
