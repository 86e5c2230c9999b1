"""What monitors find, kept so that each finding is one row, however many monitors see it.

Seeing, resolving and acknowledging are one atomic update each, by the server's own clock: two monitors at once, or one
that is killed between two of them, leave what either alone would have left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import UpdateOne

from quantbus_contracts.mongo._keyed import upsert
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.server_clock import and_the_time
from quantbus_contracts.mongo.steps import Call, Row, Steps, aggregate, bulk_write
from quantbus_contracts.schema import RecordedFinding, Sighting, finding_id

__all__ = ["AsyncFindingStore", "FindingSnapshot", "FindingStore"]

COLLECTION = "findings"
_KEPT_EPISODES = 20
_ACKNOWLEDGEMENT = ("at", "by", "reason", "until", "evidence")
_IS_OPEN: Row = {
    "$and": [
        {"$ne": [{"$type": "$first_seen"}, "missing"]},
        {"$eq": [{"$type": "$resolved_at"}, "missing"]},
    ]
}


@dataclass(frozen=True, slots=True)
class FindingSnapshot:
    """An answer about findings, with the database's own clock at the time of the answer."""

    now: datetime
    findings: tuple[RecordedFinding, ...] = ()
    """By first sighting, the oldest first."""


def _id(key: Sequence[str]) -> str:
    return "|".join(key)


def _sighted(sighting: Sighting) -> UpdateOne:
    """Open the finding, or say that it still stands; an acknowledgement does not outlive the finding."""
    given = {name: {"$literal": value} for name, value in sighting.model_dump().items() if value is not None}
    fresh: Row = {
        **given,
        "finding_id": {"$literal": finding_id(*sighting.key)},
        "first_seen": {"$cond": [_IS_OPEN, "$first_seen", "$$NOW"]},
        "last_seen": {"$max": ["$last_seen", "$$NOW"]},
        "episode": {
            "$cond": [_IS_OPEN, "$episode", {"$add": [{"$ifNull": ["$episode", 0]}, 1]}],
        },
        **{
            f"acknowledged_{part}": {"$cond": [_IS_OPEN, f"$acknowledged_{part}", "$$REMOVE"]}
            for part in _ACKNOWLEDGEMENT
        },
        "resolved_at": "$$REMOVE",
        **({} if sighting.blocks is not None else {"blocks": "$$REMOVE"}),
    }
    return UpdateOne({"_id": _id(sighting.key)}, [{"$set": fresh}], upsert=True)


def _resolved(key: tuple[str, str, str], judged_at: datetime) -> UpdateOne:
    """Close the finding unless somebody saw it after it was judged to be gone."""
    episode: Row = {
        "first_seen": "$first_seen",
        "resolved_at": {"$max": ["$$NOW", "$last_seen"]},
        "message": "$message",
        "acknowledged_by": "$acknowledged_by",
        "acknowledged_reason": "$acknowledged_reason",
    }
    kept: Row = {"$slice": [{"$concatArrays": [{"$ifNull": ["$past", []]}, [episode]]}, -_KEPT_EPISODES]}
    return UpdateOne(
        {"_id": _id(key), "resolved_at": {"$exists": False}, "last_seen": {"$lte": judged_at}},
        [{"$set": {"past": kept, "resolved_at": {"$max": ["$$NOW", "$last_seen"]}}}],
    )


def _record(
    seen: Sequence[Sighting], gone: Iterable[tuple[str, str, str]], judged_at: datetime
) -> Steps[None]:
    yield from upsert(COLLECTION, [_sighted(sighting) for sighting in seen])
    closing = [_resolved(key, judged_at) for key in gone]
    if closing:
        yield bulk_write(COLLECTION, closing)


def _acknowledge(name: str, by: str, reason: str, until: datetime | None) -> Steps[RecordedFinding | None]:
    row: Row | None = yield Call(
        COLLECTION,
        "find_one_and_update",
        (
            {"finding_id": {"$eq": name}, "resolved_at": {"$exists": False}},
            [
                {
                    "$set": {
                        "acknowledged_at": "$$NOW",
                        "acknowledged_by": {"$literal": by},
                        "acknowledged_reason": {"$literal": reason},
                        "acknowledged_until": "$$REMOVE" if until is None else {"$literal": until},
                        "acknowledged_evidence": "$evidence",
                    }
                }
            ],
        ),
        {"projection": {"_id": 0}, "return_document": True},
    )
    return None if row is None else RecordedFinding(**row)


def _snapshot(resolved_since: datetime | None) -> Steps[FindingSnapshot]:
    standing: Row = {"resolved_at": {"$exists": False}}
    wanted = (
        standing if resolved_since is None else {"$or": [standing, {"resolved_at": {"$gte": resolved_since}}]}
    )
    rows = yield aggregate(
        COLLECTION,
        [
            {"$match": wanted},
            {"$sort": {"first_seen": 1, "_id": 1}},
            {"$unset": "_id"},
            and_the_time(COLLECTION),
        ],
    )
    now = rows.pop()["now"]
    return FindingSnapshot(now, tuple(RecordedFinding(**row) for row in rows))


class FindingStore:
    """Stores findings, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def record(
        self, seen: Sequence[Sighting], gone: Iterable[tuple[str, str, str]] = (), *, judged_at: datetime
    ) -> None:
        """Note what is seen, and close what was judged gone at ``judged_at`` (the database's clock)."""
        self._connection.run(_record(seen, gone, judged_at))

    def acknowledge(
        self, name: str, *, by: str, reason: str, until: datetime | None = None
    ) -> RecordedFinding | None:
        """Take on the open finding of this id; return it, None if none is open."""
        return self._connection.run(_acknowledge(name, by, reason, until))

    def snapshot(self, *, resolved_since: datetime | None = None) -> FindingSnapshot:
        """Return what stands, and what was resolved at or after ``resolved_since``."""
        return self._connection.run(_snapshot(resolved_since))


class AsyncFindingStore:
    """Stores findings, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def record(
        self, seen: Sequence[Sighting], gone: Iterable[tuple[str, str, str]] = (), *, judged_at: datetime
    ) -> None:
        """Note what is seen, and close what was judged gone at ``judged_at`` (the database's clock)."""
        await self._connection.run(_record(seen, gone, judged_at))

    async def acknowledge(
        self, name: str, *, by: str, reason: str, until: datetime | None = None
    ) -> RecordedFinding | None:
        """Take on the open finding of this id; return it, None if none is open."""
        return await self._connection.run(_acknowledge(name, by, reason, until))

    async def snapshot(self, *, resolved_since: datetime | None = None) -> FindingSnapshot:
        """Return what stands, and what was resolved at or after ``resolved_since``."""
        return await self._connection.run(_snapshot(resolved_since))
