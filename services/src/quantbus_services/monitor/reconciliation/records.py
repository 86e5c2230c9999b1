"""What the bus holds for reconciliation, as a protocol."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from quantbus_contracts import Execution
from quantbus_contracts.schema import AccountSnapshot, Lease, RecordedFinding
from quantbus_services.monitor.reconciliation.sides import Told

__all__ = ["Records"]


class Records(Protocol):
    """What is asked of the bus. Every method may raise `BusUnavailable`."""

    async def taken_up(self, since: datetime) -> Sequence[Execution]:
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

    async def open_findings(self) -> Sequence[RecordedFinding]:
        """Return the findings that stand."""
        ...
