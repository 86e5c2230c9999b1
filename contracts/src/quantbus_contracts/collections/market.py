"""The market database: bars."""

from typing import Any

from quantbus_contracts.collections._fields import PRICE, SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_contracts.validators import closed, moment, number, text, timeframe_name

__all__ = ["MARKET", "candle_collection"]


def candle_collection(timeframe: Timeframe) -> str:
    """Return the name of the collection that holds bars of ``timeframe``."""
    return "crypto_market" if timeframe.is_daily else f"crypto_market_{timeframe.name}"


def _candles(timeframe: Timeframe) -> CollectionSpec:
    when = "date" if timeframe.is_daily else "datetime"
    return CollectionSpec(
        name=candle_collection(timeframe),
        database="market",
        purpose=f"closed {timeframe.name} bars",
        key=("symbol", when),
        written_by=("ingestion",),
        read_by=("research", "gateway", "monitor", "operator"),
        validator=closed(
            {
                when: text(r"^\d{8}$") if timeframe.is_daily else moment(),
                "symbol": SYMBOL,
                **dict.fromkeys(("open", "high", "low", "close"), PRICE),
                "volume": number(0, 1e18),
                "source": text(at_most=64),
                "ingested_at": moment(),
            },
            also={"$expr": {"$gte": ["$high", "$low"]}},
        ),
    )


_REVISED: dict[str, Any] = {
    **dict.fromkeys(("open", "high", "low", "close"), PRICE),
    "volume": number(0, 1e18),
    "source": text(at_most=64),
    "ingested_at": moment(),
}
_BOTH_SIDES = {
    "bsonType": "object",
    "required": list(_REVISED),
    "properties": _REVISED,
    "additionalProperties": False,
}
_REVISIONS = CollectionSpec(
    name="crypto_market_revisions",
    database="market",
    purpose="bars whose values a later fetch corrected: what stood, what stands since, and when",
    key=(),
    written_by=("ingestion",),
    read_by=("research", "gateway", "monitor", "operator"),
    append_only=True,
    validator=closed(
        {
            "symbol": SYMBOL,
            "timeframe": timeframe_name(),
            "datetime": moment(),
            "old": _BOTH_SIDES,
            "new": _BOTH_SIDES,
        }
    ),
    further_indexes=(
        Index((("symbol", 1), ("timeframe", 1), ("datetime", 1), ("new.ingested_at", 1))),
        Index((("new.ingested_at", -1),)),
    ),
)

MARKET: tuple[CollectionSpec, ...] = (
    *(_candles(Timeframe.parse(name)) for name in SUPPORTED_TIMEFRAMES),
    _REVISIONS,
)
