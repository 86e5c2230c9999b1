"""Adding to the audit: every accepted change of a strategy goes through the head of its chain.

The row that follows the head has the next number as its key, and it is written in one transaction with what it is
about. So changes of one strategy are taken one after the other, whoever makes them; what was read together with
the head still holds when the row goes in, or the transaction meets another writer and is tried again.
"""

import random
from datetime import datetime

from pymongo.errors import BulkWriteError

from quantbus_contracts.errors import BusContended
from quantbus_contracts.mongo.audit_rows import COLLECTION, Head
from quantbus_contracts.mongo.steps import Call, Row, Steps, aggregate, insert_many, pause, server_time

__all__ = ["MOST_ATTEMPTS", "append", "back_off", "read_with_head"]

MOST_ATTEMPTS = 60
"""With pauses that grow to a fifth of a second, about eight seconds: longer than the server keeps the transaction of
a publisher that died in it (`quantbus bus` sets three seconds)."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.004, 0.25
_DUPLICATE = 11000


def read_with_head(
    collection: str, pipeline: list[Row], strategy_id: str
) -> Steps[tuple[list[Row], Head, datetime]]:
    """Run a pipeline; return its rows, the head of the strategy's chain and the server's clock, in one question.

    The head comes first and carries the clock. Only a strategy without a chain, which nobody has declared yet,
    costs a second question for it.
    """
    rows: list[Row] = yield aggregate(
        COLLECTION,
        [
            {"$match": {"strategy_id": {"$eq": strategy_id}}},
            {"$sort": {"seq": -1}},
            {"$limit": 1},
            {"$project": {"_id": 0, "seq": 1, "hash": 1, "declaration": 1, "now": "$$NOW"}},
            {"$unionWith": {"coll": collection, "pipeline": pipeline}},
        ],
    )
    if rows and "now" in rows[0]:
        head = rows.pop(0)
        now: datetime = head.pop("now")
        return rows, Head(**head), now
    return rows, Head(), (yield server_time())


def append(row: Row) -> Steps[None]:
    """Add a row to the chain, inside a transaction.

    Raises
    ------
    BusContended
        If another writer has added a row of this number.
    """
    try:
        yield insert_many(COLLECTION, [row])
    except BulkWriteError as failure:
        if any(error["code"] == _DUPLICATE for error in failure.details["writeErrors"]):
            raise BusContended(f"another publisher of {row['strategy_id']!r} was first") from failure
        raise


def back_off(attempt: int) -> Call:
    """Wait a random while, longer from attempt to attempt, so that writers which met do not meet again."""
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10))
    return pause(random.uniform(0, longest))  # noqa: S311  # spreads writers, keeps no secret
