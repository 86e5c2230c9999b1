"""The answers of Binance's REST API that spot and futures share, as pure functions of market and time."""

from dataclasses import dataclass
from typing import Any

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.binance.queries import Query
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.prices.intrabar import STEPS
from quantbus_services.paper_exchange.prices.tape import Trade, number_at, time_of
from quantbus_services.paper_exchange.series import Bars

__all__ = [
    "KlinePage",
    "aggregate_trades",
    "book_ticker",
    "decimal_text",
    "depth",
    "kline_page",
    "kline_rows",
    "price_ticker",
    "recent_trades",
    "ticker_24h",
]

_DAY_MS = 86_400_000
_ROW = '[%d,"%.8f","%.8f","%.8f","%.8f","%.8f",%d,"%.8f",0,"0","0","0"]'


def decimal_text(number: float) -> str:
    """Write a number as Binance does: plain, with eight decimals."""
    return f"{number:.8f}"


@dataclass(frozen=True, slots=True)
class KlinePage:
    """The bars that a request for klines asks for."""

    listing: Listing
    timeframe: Timeframe
    bars: Bars


def kline_page(
    market: Market, query: Query, now_ms: int, *, most: int = 1000, named_by: str = "symbol"
) -> KlinePage:
    """Return bars, paged as Binance does it.

    With ``startTime`` the oldest ``limit`` bars from there, otherwise the newest; both bounds are inclusive
    and about open times. The bar in progress is the last row.
    """
    listing = query.symbol(market.listed(now_ms), named_by)
    timeframe = query.interval(market.timeframes)
    start, end = query.number("startTime"), query.number("endTime")
    limit = query.limit(default=500, most=most)
    last = now_ms if end is None else min(now_ms, end)
    if start is None:
        bars = _newest(market, listing, timeframe, last, limit, now_ms)
    else:
        first = max(start, market.first_open(listing.name, timeframe, now_ms))
        bars = _oldest(market, listing, timeframe, (first, last), limit, now_ms)
    return KlinePage(listing, timeframe, bars)


def _newest(
    market: Market, listing: Listing, timeframe: Timeframe, last: int, limit: int, now_ms: int
) -> Bars:
    step, reach = timeframe.seconds * 1000, limit
    while True:  # gaps make a range hold fewer bars than it is long
        first = last - reach * step
        bars = market.bars(listing.name, timeframe, first + 1, last + 1, now_ms)
        if len(bars) >= limit or first < market.first_open(listing.name, timeframe, now_ms):
            return bars.rows(max(0, len(bars) - limit), len(bars))
        reach *= 4


def _oldest(
    market: Market, listing: Listing, timeframe: Timeframe, bounds: tuple[int, int], limit: int, now_ms: int
) -> Bars:
    first, last = bounds
    reach = limit
    while True:
        end = min(last, first + reach * timeframe.seconds * 1000)
        bars = market.bars(listing.name, timeframe, first, end + 1, now_ms)
        if len(bars) >= limit or end == last:
            return bars.rows(0, limit)
        reach *= 4


def kline_rows(bars: Bars, step_ms: int) -> str:
    """Return bars in Binance's twelve columns; trade count and taker volumes are unknown, hence 0."""
    columns = (
        bars.open_time, bars.open, bars.high, bars.low, bars.close, bars.volume,
        bars.open_time + (step_ms - 1), bars.quote_volume,
    )  # fmt: skip
    return (
        "[" + ",".join(_ROW % row for row in zip(*(column.tolist() for column in columns), strict=True)) + "]"
    )


def depth(market: Market, query: Query, now_ms: int) -> dict[str, Any]:
    """Return the order book."""
    listing = query.symbol(market.listed(now_ms))
    book = market.book(listing.name, query.limit(default=100, most=5000), now_ms)
    return {
        "lastUpdateId": now_ms,
        "bids": [[decimal_text(price), decimal_text(amount)] for price, amount in book.bids],
        "asks": [[decimal_text(price), decimal_text(amount)] for price, amount in book.asks],
    }


def price_ticker(market: Market, listing: Listing, now_ms: int) -> dict[str, Any]:
    """Return the newest price."""
    return {"symbol": listing.name, "price": decimal_text(market.last_price(listing.name, now_ms))}


def book_ticker(market: Market, listing: Listing, now_ms: int) -> dict[str, Any]:
    """Return the best bid and ask."""
    book = market.book(listing.name, 1, now_ms)
    return {
        "symbol": listing.name,
        "bidPrice": decimal_text(book.best_bid[0]),
        "bidQty": decimal_text(book.best_bid[1]),
        "askPrice": decimal_text(book.best_ask[0]),
        "askQty": decimal_text(book.best_ask[1]),
    }


def ticker_24h(market: Market, listing: Listing, now_ms: int, *, full: bool = True) -> dict[str, Any]:
    """Return the statistics of the last 24 hours; ``full`` adds changes and the best bid and ask."""
    start = now_ms - _DAY_MS
    bars = market.bars(listing.name, market.source.base, start, now_ms + 1, now_ms)
    last = market.last_price(listing.name, now_ms)
    opened = float(bars.open[0]) if len(bars) else last
    volume, worth = float(bars.volume.sum()), float(bars.quote_volume.sum())
    mini = {
        "symbol": listing.name,
        "openPrice": decimal_text(opened),
        "highPrice": decimal_text(float(bars.high.max(initial=last))),
        "lowPrice": decimal_text(float(bars.low.min(initial=last))),
        "lastPrice": decimal_text(last),
        "volume": decimal_text(volume),
        "quoteVolume": decimal_text(worth),
        "openTime": start,
        "closeTime": now_ms,
        "firstId": -1,
        "lastId": -1,
        "count": 0,
    }
    if not full:
        return mini
    return mini | {
        "priceChange": decimal_text(last - opened),
        "priceChangePercent": f"{(last / opened - 1) * 100:.3f}",
        "weightedAvgPrice": decimal_text(worth / volume if volume else last),
        "prevClosePrice": decimal_text(opened),
        "lastQty": decimal_text(0),
        **book_ticker(market, listing, now_ms),
    }


def recent_trades(market: Market, query: Query, now_ms: int) -> list[dict[str, Any]]:
    """Return the newest trades."""
    listing = query.symbol(market.listed(now_ms))
    limit = query.limit(default=500, most=1000)
    return [
        {
            "id": trade.number,
            "price": decimal_text(trade.price),
            "qty": decimal_text(trade.amount),
            "quoteQty": decimal_text(trade.price * trade.amount),
            "time": trade.time_ms,
            "isBuyerMaker": trade.is_sale,
            "isBestMatch": True,
        }
        for trade in _newest_trades(market, listing, limit, now_ms, now_ms)
    ]


def aggregate_trades(market: Market, query: Query, now_ms: int) -> list[dict[str, Any]]:
    """Return trades from a number or a time on, oldest first; without either the newest."""
    listing = query.symbol(market.listed(now_ms))
    limit = query.limit(default=500, most=1000)
    number, start, end = (query.number(name) for name in ("fromId", "startTime", "endTime"))
    bar_ms = market.source.base.seconds * 1000
    last = now_ms if end is None else end
    if number is not None:
        start = time_of(number, bar_ms)
    if start is None:
        trades = _newest_trades(market, listing, limit, last, now_ms)
    else:
        start = max(start, market.first_open(listing.name, market.source.base, now_ms))
        trades = _oldest_trades(market, listing, (start, min(last, now_ms)), limit, now_ms)
    return [
        {
            "a": trade.number,
            "p": decimal_text(trade.price),
            "q": decimal_text(trade.amount),
            "f": trade.number,
            "l": trade.number,
            "T": trade.time_ms,
            "m": trade.is_sale,
            "M": True,
        }
        for trade in trades
    ]


def _oldest_trades(
    market: Market, listing: Listing, bounds: tuple[int, int], limit: int, now_ms: int
) -> list[Trade]:
    first, last = bounds
    reach = limit
    while True:  # quiet minutes have fewer trades than numbers
        until = min(last, first + reach * market.source.base.seconds * 1000 // STEPS)
        trades = market.trades(listing.name, first, until, now_ms)
        if len(trades) >= limit or until >= last:
            return trades[:limit]
        reach *= 4


def _newest_trades(market: Market, listing: Listing, limit: int, last_ms: int, now_ms: int) -> list[Trade]:
    bar_ms = market.source.base.seconds * 1000
    last = min(last_ms, now_ms)
    first = time_of(max(0, number_at(last, bar_ms) - limit + 1), bar_ms)
    return market.trades(listing.name, first, last, now_ms)[-limit:]
