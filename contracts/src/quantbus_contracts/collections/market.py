"""The market database: bars."""

from quantbus_contracts.collections._fields import PRICE, SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_contracts.validators import closed, moment, number, text

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


MARKET: tuple[CollectionSpec, ...] = tuple(_candles(Timeframe.parse(name)) for name in SUPPORTED_TIMEFRAMES)
