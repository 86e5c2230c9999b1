"""The write that keyed rows without history share: replace what stands under the key."""

from collections.abc import Sequence

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError

from quantbus_contracts.mongo.steps import Row, Steps, bulk_write

__all__ = ["replace_rows"]

_DUPLICATE = 11000


def replace_rows(collection: str, rows: Sequence[Row]) -> Steps[int]:
    """Store each row under its ``_id``; return how many were new. An equal row is no write to the server."""
    if not rows:
        return 0
    requests = [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows]
    try:
        result = yield bulk_write(collection, requests)
    except BulkWriteError as error:
        if any(item["code"] != _DUPLICATE for item in error.details["writeErrors"]):
            raise
        # Two writers inserted the same key at once; by now the row stands and the replace finds it.
        result = yield bulk_write(collection, requests)
    return int(result.upserted_count)
