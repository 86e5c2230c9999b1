"""The audit of published signals: verify it, take it away."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from quantbus_contracts.mongo.audit_check import check_audit, exported_page
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.schema import AuditFinding, AuditReport

__all__ = ["AuditFinding", "AuditReport", "export", "verify", "verify_async"]


def verify(connection: Connection, strategy_id: str | None = None) -> AuditReport:
    """Compare every audit row with its chain and with the signals it is about, of one strategy or of all.

    Publishing may go on meanwhile.

    Raises
    ------
    BusUnavailable
        If the bus does not answer in time.
    """
    return connection.run(check_audit(strategy_id))


async def verify_async(connection: AsyncConnection, strategy_id: str | None = None) -> AuditReport:
    """Compare every audit row with its chain and with the signals; see `verify`."""
    return await connection.run(check_audit(strategy_id))


def export(
    connection: Connection, start: datetime, end: datetime, strategy_id: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the audit rows of ``[start, end)`` (by the database's clock) as plain JSON values, oldest first."""
    after: tuple[datetime, str] | None = None
    while True:
        rows, after = connection.run(exported_page(start, end, strategy_id, after))
        yield from rows
        if after is None:
            return
