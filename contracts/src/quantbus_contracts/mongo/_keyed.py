"""The write that keyed rows without history share: change what stands under the key, or make it."""

from collections.abc import Sequence
from typing import Any

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from quantbus_contracts.mongo.steps import Row, Steps, bulk_write

__all__ = ["replace_rows", "upsert"]

_DUPLICATE = 11000


def replace_rows(collection: str, rows: Sequence[Row]) -> Steps[int]:
    """Store each row under its ``_id``; return how many were new. An equal row is no write to the server."""
    return (
        yield from upsert(collection, [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])
    )


def upsert(collection: str, requests: Sequence[Any]) -> Steps[int]:
    """Send upserts by ``_id``; return how many rows were new."""
    if not requests:
        return 0
    try:
        result = yield bulk_write(collection, list(requests))
    except BulkWriteError as error:
        if any(item["code"] != _DUPLICATE for item in error.details["writeErrors"]):
            raise
        # Two writers inserted the same key at once; by now the row stands and the second try finds it.
        result = yield bulk_write(collection, list(requests))
    return int(result.upserted_count)
