"""The write that market data share: find what stands, insert what is missing, correct what differs.

One upsert is one storage transaction, while inserts are grouped; a replay finds everything as it should be and
writes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from quantbus_contracts.mongo.steps import Row, Steps, bulk_write, find, insert_many, server_time
from quantbus_contracts.schema import CandleReport

__all__ = ["correct", "diff_insert", "insert_missing", "twins"]

_DUPLICATE = 11000
_ABOUT_THE_WRITE = ("source", "ingested_at")


def insert_missing(collection: str, rows: list[Row]) -> Steps[list[Row]]:
    """Insert rows; return those that another writer had inserted meanwhile."""
    if not rows:
        return []
    try:
        yield insert_many(collection, rows)
    except BulkWriteError as error:
        return [rows[index] for index in twins(error)]
    return []


def twins(error: BulkWriteError) -> list[int]:
    """Return the places of the rows whose key stood already; an error about anything else is raised again."""
    errors = error.details["writeErrors"]
    if any(item["code"] != _DUPLICATE for item in errors):
        raise error
    return [int(item["index"]) for item in errors]


def correct(collection: str, changed: Mapping[str, Row], stamp: Row) -> Steps[int]:
    """Set the values of each ``_id`` where they differ, with ``stamp``; return how many rows were changed."""
    if not changed:
        return 0
    requests = [
        UpdateOne(
            {"_id": identity, "$or": [{name: {"$ne": value}} for name, value in values.items()]},
            {"$set": {**values, **stamp}},
        )
        for identity, values in changed.items()
    ]
    result = yield bulk_write(collection, requests)
    return int(result.modified_count)


def diff_insert(collection: str, rows: Sequence[Row], query: Row, source: str) -> Steps[CandleReport]:
    """Bring keyed rows of one series to ``collection``; ``query`` finds what may stand under their keys.

    ``rows`` have distinct ``_id`` and neither source nor time of the write, which are added here. A field that
    a row does not have is left as it stands. The steps may be repeated at will.
    """
    if not rows:
        return CandleReport()
    found = yield find(collection, query, dict.fromkeys(_ABOUT_THE_WRITE, 0), batch_size=10_000)
    stored = {row["_id"]: row for row in found}
    now: datetime = yield server_time()
    stamp = {"source": source, "ingested_at": now}
    missing = [{**row, **stamp} for row in rows if row["_id"] not in stored]
    raced = yield from insert_missing(collection, missing)
    changed = {
        row["_id"]: _values(row)
        for row in rows
        if (former := stored.get(row["_id"])) is not None
        and any(former.get(name) != value for name, value in row.items())
    }
    changed |= {row["_id"]: _values(row) for row in raced}
    updated = yield from correct(collection, changed, stamp)
    inserted = len(missing) - len(raced)
    return CandleReport(inserted=inserted, updated=updated, unchanged=len(rows) - inserted - updated)


def _values(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("_id", *_ABOUT_THE_WRITE)}
