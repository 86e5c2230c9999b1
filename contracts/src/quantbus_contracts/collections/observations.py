"""The market database: what exchanges say besides bars."""

from collections.abc import Mapping
from typing import Any

from quantbus_contracts.collections._fields import PRICE, SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.schema import DEPTH_LEVELS, DepthSnapshot, FundingRate, MarkPrice, OpenInterest
from quantbus_contracts.validators import closed, moment, number, one_of, text

__all__ = ["OBSERVATIONS"]

_RATE = number(-1, 1)
_AMOUNT = number(0, 1e18)


def _observed(
    name: str,
    purpose: str,
    required: Mapping[str, Any],
    optional: Mapping[str, Any] | None = None,
    *,
    also: Mapping[str, Any] | None = None,
) -> CollectionSpec:
    common = {"datetime": moment(), "symbol": SYMBOL, "source": text(at_most=64), "ingested_at": moment()}
    return CollectionSpec(
        name=name,
        database="market",
        purpose=purpose,
        key=("symbol", "datetime"),
        written_by=("ingestion",),
        read_by=("research", "gateway", "monitor", "operator"),
        validator=closed({**common, **required}, optional, also=also),
        further_indexes=(Index((("datetime", -1),)),),
    )


_LEVEL = {
    "bsonType": "object",
    "required": ["within", "bid", "ask", "imbalance"],
    "properties": {"within": one_of(*DEPTH_LEVELS), "bid": _AMOUNT, "ask": _AMOUNT, "imbalance": _RATE},
    "additionalProperties": False,
}

OBSERVATIONS: tuple[CollectionSpec, ...] = (
    _observed(FundingRate.collection, "settled funding rates of perpetual swaps", {"rate": _RATE}),
    _observed(
        MarkPrice.collection,
        "mark and index price of a derivative at one instant",
        {"mark": PRICE},
        {"index": PRICE, "funding_rate": _RATE, "next_funding_at": moment()},
    ),
    _observed(
        OpenInterest.collection,
        "how much of a derivative is held",
        {},
        {"amount": _AMOUNT, "value": _AMOUNT},
        also={"$or": [{"amount": {"$exists": True}}, {"value": {"$exists": True}}]},
    ),
    _observed(
        DepthSnapshot.collection,
        "an order book reduced to mid, spread, depth and imbalance",
        {
            **dict.fromkeys(("bid", "ask", "mid"), PRICE),
            "spread": _AMOUNT,
            "spread_bps": number(0, 20_000),
            "levels": {"bsonType": "array", "maxItems": len(DEPTH_LEVELS), "items": _LEVEL},
        },
        also={"$expr": {"$gte": ["$ask", "$bid"]}},
    ),
)
