"""Reads how the database itself stands; needs the right to monitor the cluster."""

from collections.abc import Mapping
from datetime import datetime

from quantbus_contracts.errors import BusError
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.steps import Row, Steps, database_command, server_command
from quantbus_contracts.schema import BusHealth, MemberHealth, MemberState

__all__ = ["AsyncBusHealthReader"]

_ANY_COLLECTION = "heartbeats"  # whose database is asked for its disk; all three lie on the same one
_STATES: Mapping[str, MemberState] = {
    "PRIMARY": "primary",
    "SECONDARY": "secondary",
    "ARBITER": "arbiter",
}


def _health() -> Steps[BusHealth]:
    status: Row = yield server_command({"replSetGetStatus": 1})
    stats: Row = yield database_command(_ANY_COLLECTION, {"dbStats": 1})
    try:
        size, used = float(stats["fsTotalSize"]), float(stats["fsUsedSize"])
    except (KeyError, TypeError, ValueError):
        raise BusError(
            "expected the size of its disk from the server's dbStats, found none; does it keep its data on one?"
        ) from None
    return BusHealth(members=members_of(status), disk_size_bytes=size, disk_free_bytes=size - used)


def members_of(status: Row) -> tuple[MemberHealth, ...]:
    """Return the members that ``replSetGetStatus`` tells of, by name."""
    members = sorted(status["members"], key=lambda member: str(member["name"]))
    primary = next((member.get("optimeDate") for member in members if _state(member) == "primary"), None)
    return tuple(
        MemberHealth(str(member["name"]), _state(member), _lag(member, primary)) for member in members
    )


def _state(member: Row) -> MemberState:
    return _STATES.get(str(member.get("stateStr")), "other")


def _lag(member: Row, primary: datetime | None) -> float | None:
    written = member.get("optimeDate")
    if primary is None or not isinstance(written, datetime) or _state(member) not in ("primary", "secondary"):
        return None
    return max(0.0, (primary - written).total_seconds())


class AsyncBusHealthReader:
    """Asks the server about itself."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Ask over ``connection``."""
        self._connection = connection

    async def health(self) -> BusHealth:
        """Return how the database stands.

        Raises
        ------
        BusError
            If the server does not say: it is no replica set, or the user may not monitor it.
        """
        return await self._connection.run(_health())
