"""The market database: what exchanges say."""

from typing import Any

from quantbus_contracts.collections._fields import PAIR, PRICE, SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_contracts.validators import closed, moment, number, one_of, text, timeframe_name

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

_INSTRUMENTS = CollectionSpec(
    name="crypto_instruments",
    database="market",
    purpose="the markets of the venues",
    key=("symbol",),
    written_by=("ingestion",),
    read_by=("research", "gateway", "monitor", "operator"),
    validator=closed(
        {
            "symbol": SYMBOL,
            "pair": PAIR,
            "venue": text(r"^[A-Z0-9_]{1,32}$"),
            "market_type": one_of("spot", "swap", "future"),
            "base": text(at_most=32),
            "quote": text(at_most=32),
        },
        {"settle": text(at_most=32), "expiry": text(r"^\d{8}$")},
    ),
    further_indexes=(Index((("venue", 1), ("pair", 1))),),
)

MARKET: tuple[CollectionSpec, ...] = (
    *(_candles(Timeframe.parse(name)) for name in SUPPORTED_TIMEFRAMES),
    _REVISIONS,
    _INSTRUMENTS,
)
