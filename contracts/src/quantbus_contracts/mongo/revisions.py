"""How a signal becomes its next revision: one conditional update that keeps the former state. Pure."""

from typing import Any

from quantbus_contracts.mongo.documents import KEY_FIELDS, REVISION_FIELDS
from quantbus_contracts.mongo.steps import Row

__all__ = ["MOST_REVISIONS", "revision_filter", "revision_pipeline"]

MOST_REVISIONS = 200
"""Former states kept in a signal. A publisher that revises one bar more often than this is broken."""


def revision_filter(row: Row, expected_version: int | None) -> Row:
    """Match the signal while its content is another than that of ``row`` and it has room for one more revision.

    Publishers that race on one signal each become a revision, in the order in which the server takes them; one
    that expected a version matches only that.
    """
    match: Row = {
        "_id": row["_id"],
        "content_hash": {"$ne": row["content_hash"]},
        f"history.{MOST_REVISIONS - 1}": {"$exists": False},
    }
    return match if expected_version is None else match | {"version": expected_version}


def revision_pipeline(row: Row) -> list[Row]:
    """Return the update that replaces the content by that of ``row`` and moves the former into the history.

    User text goes in as ``$literal``, so that a note that begins with ``$`` stays a note. The clock is the
    server's, and read here alone: a batch that changes nothing must not write.
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
                        # $$NOW is taken as a command begins: of two that race, the later may carry the earlier.
                        "available_at": {"$max": ["$$NOW", "$available_at"]},
                        "history": {"$concatArrays": [{"$ifNull": ["$history", []]}, [former]]},
                    },
                ]
            }
        }
    ]
