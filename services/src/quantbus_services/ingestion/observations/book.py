"""An order book -> mid, spread, depth and imbalance at levels; pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from quantbus_contracts.schema import DEPTH_LEVELS, DepthLevel, DepthLevelName, DepthSnapshot
from quantbus_services.ingestion.observations.parse import Contract, Parsed, refused

__all__ = ["reduce_book"]

_BPS = 10_000.0
Side = list[tuple[float, float]]
"""(price, worth in quote currency), best first."""


def reduce_book(
    bids: Sequence[Sequence[Any]],
    asks: Sequence[Sequence[Any]],
    *,
    symbol: str,
    at: datetime,
    source: str,
    asked: int,
    contract: Contract | None = None,
) -> Parsed:
    """Reduce one answer; ``asked`` is how many prices a side were asked for.

    A side that came back with fewer prices than asked for is the whole side. One that came back full ends where
    the answer ends: a level that lies beyond is left out, since what is there was not seen.
    """
    try:
        buyers = _side(bids, contract or Contract(), descending=True)
        sellers = _side(asks, contract or Contract(), descending=False)
        if not buyers or not sellers:
            raise ValueError(f"expected both sides, found {len(buyers)} bids and {len(sellers)} asks")
        bid, ask = buyers[0][0], sellers[0][0]
        mid = (bid + ask) / 2
        levels = (
            _level(name, buyers, sellers, mid, whole=(len(bids) < asked, len(asks) < asked))
            for name in DEPTH_LEVELS
        )
        snapshot = DepthSnapshot(
            symbol=symbol,
            at=at,
            source=source,
            bid=bid,
            ask=ask,
            mid=mid,
            spread=max(0.0, ask - bid) if bid <= ask else 0.0,
            spread_bps=max(0.0, ask - bid) / mid * _BPS,
            levels=tuple(level for level in levels if level is not None),
        )
    except (ValueError, TypeError, IndexError) as error:
        return Parsed(rejections=(refused(0, {"bids": list(bids[:1]), "asks": list(asks[:1])}, error),))
    return Parsed((snapshot,))


def _side(rows: Sequence[Sequence[Any]], contract: Contract, *, descending: bool) -> Side:
    """Read one side, best price first; a price without an amount is no offer."""
    side: Side = []
    for row in rows:
        price, amount = float(row[0]), float(row[1])
        if not 0 < price <= 1e15 or not 0 <= amount <= 1e18:  # NaN is neither
            raise ValueError(f"expected a price and an amount, found {list(row[:2])!r}")
        if amount > 0:
            side.append((price, amount * contract.size * (1.0 if contract.is_inverse else price)))
    return sorted(side, reverse=descending)


def _level(
    name: DepthLevelName, bids: Side, asks: Side, mid: float, *, whole: tuple[bool, bool]
) -> DepthLevel | None:
    if name.startswith("top"):
        count = int(name.removeprefix("top"))
        parts = [
            sum(worth for _, worth in side[:count]) if is_whole or len(side) >= count else None
            for side, is_whole in zip((bids, asks), whole, strict=True)
        ]
    else:
        reach = mid * float(name.removesuffix("bps")) / _BPS
        parts = [
            sum(worth for price, worth in side if abs(price - mid) <= reach)
            if is_whole or abs(side[-1][0] - mid) >= reach
            else None
            for side, is_whole in zip((bids, asks), whole, strict=True)
        ]
    bid, ask = parts
    if bid is None or ask is None:
        return None
    both = bid + ask
    return DepthLevel(within=name, bid=bid, ask=ask, imbalance=(bid - ask) / both if both else 0.0)
