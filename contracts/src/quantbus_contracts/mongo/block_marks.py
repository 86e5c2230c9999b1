"""Tells the blocks of a series that its bars change, in the same transaction that changes them.

Bars are the truth and blocks are derived, so a block must never be read once a bar in its span has changed. Whoever
changes bars therefore writes the span's block document as well, in one transaction: a sealed block loses its columns,
and where there was none an open one is made. Sealing reads bars and writes the block in one transaction too. Both
write the same document, so of two that overlap in time the database lets only one commit, and the other begins again
with what stands then. No clock decides about it.

Only spans that are not over yet are left out, or every live bar would cost one more write: they can not be sealed
before they have settled (`quantbus_contracts.mongo.block_spans.SETTLING`).
"""

from collections.abc import Iterable
from datetime import datetime

from pymongo import UpdateOne

from quantbus_contracts.mongo.block_spans import block_id, day_of, is_past, spans_of
from quantbus_contracts.mongo.steps import Steps, bulk_write
from quantbus_contracts.timeframe import Timeframe

__all__ = ["BLOCKS", "COLUMNS", "open_blocks", "opening"]

BLOCKS = "crypto_blocks"
COLUMNS = ("times", "open", "high", "low", "close", "volume")


def open_blocks(
    symbol: str, timeframe: Timeframe, open_times: Iterable[datetime], now: datetime
) -> Steps[None]:
    """Open the blocks of the bars that are written in this transaction; ``now`` is the server's clock before it."""
    starts = [start for start in spans_of(timeframe, open_times) if is_past(timeframe, start, now)]
    if not starts:
        return
    yield bulk_write(BLOCKS, [opening(symbol, timeframe, start, upsert=True) for start in starts])


def opening(symbol: str, timeframe: Timeframe, start: datetime, *, upsert: bool) -> UpdateOne:
    """Return the write that opens one block, or with ``upsert`` makes an open one where there was none."""
    key = {"symbol": symbol, "timeframe": timeframe.name, "day": day_of(start)}
    return UpdateOne(
        {"_id": block_id(symbol, timeframe, start)},
        {
            "$set": {**key, "sealed": False},
            "$inc": {"generation": 1},
            "$unset": dict.fromkeys((*COLUMNS, "bars", "sealed_at"), ""),
        },
        upsert=upsert,
    )
