"""Inserts bars that were missing, so that no block outlives the bars it was made of.

Bars of a span that is over go in together with the mark on its block, in one transaction
(`quantbus_contracts.mongo.block_marks`); bars of a span that is not over are inserted as they are.
"""

from collections.abc import Mapping
from datetime import datetime

from pymongo.errors import BulkWriteError

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.errors import BusContended
from quantbus_contracts.mongo._diff_insert import insert_missing, twins
from quantbus_contracts.mongo.block_marks import open_blocks
from quantbus_contracts.mongo.block_spans import is_past, span_start
from quantbus_contracts.mongo.steps import Row, Steps, find, in_transaction, insert_many, new_deadline, pause
from quantbus_contracts.timeframe import Timeframe

__all__ = ["insert_bars"]

_ROWS_AT_ONCE = 5_000  # a transaction must end well within the server's limit, three seconds where it is ours
# Eleven seconds outlast a writer that died inside its transaction, which our servers give up on after three.
_ATTEMPTS = 60
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.2


def insert_bars(
    symbol: str, timeframe: Timeframe, rows: Mapping[datetime, Row], now: datetime
) -> Steps[list[Row]]:
    """Insert rows, given by open time; return those that another writer had inserted meanwhile.

    ``now`` is the server's clock before the call.

    Raises
    ------
    BusContended
        If other writers were at the same blocks again and again.
    """
    past = [moment for moment in rows if is_past(timeframe, span_start(timeframe, moment), now)]
    settled = set(past)
    raced = yield from insert_missing(
        candle_collection(timeframe), [rows[at] for at in rows if at not in settled]
    )
    for start in range(0, len(past), _ROWS_AT_ONCE):
        part = {moment: rows[moment] for moment in past[start : start + _ROWS_AT_ONCE]}
        raced += yield from _insert_past(symbol, timeframe, part, now)
        yield new_deadline()
    return raced


def _insert_past(
    symbol: str, timeframe: Timeframe, rows: Mapping[datetime, Row], now: datetime
) -> Steps[list[Row]]:
    collection = candle_collection(timeframe)
    found: set[str] = set()
    for attempt in range(1, _ATTEMPTS + 1):
        left = {moment: row for moment, row in rows.items() if row["_id"] not in found}
        if not left:
            break
        try:
            yield from in_transaction(_insert_and_mark(symbol, timeframe, left, now))
            break
        except BulkWriteError as error:
            twins(error)  # raises what is not about twins
        except BusContended:
            if attempt == _ATTEMPTS:
                raise
        yield pause(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * attempt))
        present = yield find(collection, {"_id": {"$in": [row["_id"] for row in rows.values()]}}, {"_id": 1})
        found = {row["_id"] for row in present}
    return [row for row in rows.values() if row["_id"] in found]


def _insert_and_mark(
    symbol: str, timeframe: Timeframe, rows: Mapping[datetime, Row], now: datetime
) -> Steps[None]:
    # The mark first: there two writers of one series meet, before anything else was done.
    yield from open_blocks(symbol, timeframe, rows, now)
    yield insert_many(candle_collection(timeframe), list(rows.values()))
