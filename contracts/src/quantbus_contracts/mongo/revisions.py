"""How a signal becomes its next revision: one conditional update that keeps the former state. Pure."""

from datetime import datetime
from typing import Any

from quantbus_contracts.mongo.documents import KEY_FIELDS, REVISION_FIELDS
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.schema.signal import MOST_VERSIONS

__all__ = ["MOST_REVISIONS", "revision_filter", "revision_pipeline"]

MOST_REVISIONS = MOST_VERSIONS - 1
"""Former states kept in a signal. A publisher that revises one bar more often than this is broken."""


def revision_filter(signal_id: str, version: int) -> Row:
    """Match the signal while it is the version that was read: the audit names the one that follows it."""
    return {"_id": signal_id, "version": version}


def revision_pipeline(row: Row, *, now: datetime) -> list[Row]:
    """Return the update that replaces the content by that of ``row`` and moves the former into the history.

    User text goes in as ``$literal``, so that a note that begins with ``$`` stays a note. ``now`` is the server's
    clock as the audit row states it.
    """
    content = {name: value for name, value in row.items() if name != "_id" and name not in KEY_FIELDS}
    former: dict[str, Any] = {name: f"${name}" for name in REVISION_FIELDS}
    return [
        {
            "$replaceWith": {
                "$mergeObjects": [
                    {"_id": "$_id"},
                    {name: f"${name}" for name in KEY_FIELDS},
                    {"$literal": content},
                    {
                        "version": {"$add": ["$version", 1]},
                        # The clock is read before the write: of two that race, the later may carry the earlier.
                        "available_at": {"$max": [now, "$available_at"]},
                        "history": {"$concatArrays": [{"$ifNull": ["$history", []]}, [former]]},
                    },
                ]
            }
        }
    ]
