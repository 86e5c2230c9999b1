"""The market database: bars once more, packed for reading."""

from quantbus_contracts.collections._fields import SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec
from quantbus_contracts.validators import closed, count, flag, moment, text, timeframe_name

__all__ = ["BLOCKS"]

_COLUMN = {"bsonType": "binData"}

_BLOCKS = CollectionSpec(
    name="crypto_blocks",
    database="market",
    purpose="derived: the bars of some whole past days as columns, with count and checksums, or that they changed",
    key=("symbol", "timeframe", "day"),
    written_by=("ingestion",),
    read_by=("research", "gateway", "monitor", "operator"),
    validator=closed(
        {
            "symbol": SYMBOL,
            "timeframe": timeframe_name(),
            "day": text(r"^\d{8}$"),
            "sealed": flag(),
            "generation": count(least=1),
        },
        {
            "bars": count(100_000, least=1),
            "sealed_at": moment(),
            **dict.fromkeys(("times", "open", "high", "low", "close", "volume"), _COLUMN),
        },
    ),
)

BLOCKS: tuple[CollectionSpec, ...] = (_BLOCKS,)
