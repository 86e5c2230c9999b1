"""The answers of Binance's spot REST API, as pure functions of the market and the time."""

from collections.abc import Iterable
from typing import Any

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.intrabar import STEPS
from quantbus_services.paper_exchange.listings import Listing
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.queries import Query
from quantbus_services.paper_exchange.series import Bars
from quantbus_services.paper_exchange.tape import Trade, number_at, time_of

__all__ = [
    "aggregate_trades",
    "book_ticker",
    "depth",
    "exchange_info",
    "kline_rows",
    "klines",
    "no_derivatives",
    "price_ticker",
    "recent_trades",
    "ticker_24h",
]

_DAY_MS = 86_400_000
_ROW = '[%d,"%.8f","%.8f","%.8f","%.8f","%.8f",%d,"%.8f",0,"0","0","0"]'
_RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
]


def _text(number: float) -> str:
    return f"{number:.8f}"


def exchange_info(market: Market, listings: Iterable[Listing], now_ms: int) -> dict[str, Any]:
    """Return the market list; a market whose data has run out is halted (``BREAK``)."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": _RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [_market(listing, is_over=market.is_over(listing.name, now_ms)) for listing in listings],
    }


def _market(listing: Listing, *, is_over: bool) -> dict[str, Any]:
    return {
        "symbol": listing.name,
        "status": "BREAK" if is_over else "TRADING",
        "baseAsset": listing.base,
        "baseAssetPrecision": 8,
        "quoteAsset": listing.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(listing),
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
    }


def _filters(listing: Listing) -> list[dict[str, Any]]:
    tick, step = _text(listing.tick), _text(listing.step)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000000000.00000000", "stepSize": step},
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ]


def no_derivatives(now_ms: int) -> dict[str, Any]:
    """Return the market list of a futures exchange that lists nothing; ccxt asks for it by default."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [],
    }


def klines(market: Market, query: Query, now_ms: int) -> str:
    """Return bars as JSON text, paged as Binance does it.

    With ``startTime`` the oldest ``limit`` bars from there, otherwise the newest; both bounds are inclusive
    and about open times. The bar in progress is the last row.
    """
    listing = query.symbol(market.listings)
    timeframe = query.interval(market.timeframes)
    start, end = query.number("startTime"), query.number("endTime")
    limit = query.limit(default=500, most=1000)
    step = timeframe.seconds * 1000
    last = now_ms if end is None else min(now_ms, end)
    if start is not None:
        first = max(start, market.first_open(listing.name, timeframe))
        return kline_rows(_page(market, listing, timeframe, (first, last), limit, now_ms), step)
    reach = limit
    while True:  # gaps in a recording make a range hold fewer bars than it is long
        bars = market.bars(listing.name, timeframe, last - reach * step + 1, last + 1, now_ms)
        if len(bars) >= limit or last - reach * step < market.first_open(listing.name, timeframe):
            return kline_rows(bars.rows(max(0, len(bars) - limit), len(bars)), step)
        reach *= 4


def _page(
    market: Market, listing: Listing, timeframe: Timeframe, bounds: tuple[int, int], limit: int, now_ms: int
) -> Bars:
    """Return the oldest ``limit`` bars that open within ``bounds`` (inclusive)."""
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
    listing = query.symbol(market.listings)
    book = market.book(listing.name, query.limit(default=100, most=5000), now_ms)
    return {
        "lastUpdateId": now_ms,
        "bids": [[_text(price), _text(amount)] for price, amount in book.bids],
        "asks": [[_text(price), _text(amount)] for price, amount in book.asks],
    }


def price_ticker(market: Market, listing: Listing, now_ms: int) -> dict[str, Any]:
    """Return the newest price."""
    return {"symbol": listing.name, "price": _text(market.last_price(listing.name, now_ms))}


def book_ticker(market: Market, listing: Listing, now_ms: int) -> dict[str, Any]:
    """Return the best bid and ask."""
    book = market.book(listing.name, 1, now_ms)
    return {
        "symbol": listing.name,
        "bidPrice": _text(book.best_bid[0]),
        "bidQty": _text(book.best_bid[1]),
        "askPrice": _text(book.best_ask[0]),
        "askQty": _text(book.best_ask[1]),
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
        "openPrice": _text(opened),
        "highPrice": _text(float(bars.high.max(initial=last))),
        "lowPrice": _text(float(bars.low.min(initial=last))),
        "lastPrice": _text(last),
        "volume": _text(volume),
        "quoteVolume": _text(worth),
        "openTime": start,
        "closeTime": now_ms,
        "firstId": -1,
        "lastId": -1,
        "count": 0,
    }
    if not full:
        return mini
    return mini | {
        "priceChange": _text(last - opened),
        "priceChangePercent": f"{(last / opened - 1) * 100:.3f}",
        "weightedAvgPrice": _text(worth / volume if volume else last),
        "prevClosePrice": _text(opened),
        "lastQty": _text(0),
        **book_ticker(market, listing, now_ms),
    }


def recent_trades(market: Market, query: Query, now_ms: int) -> list[dict[str, Any]]:
    """Return the newest trades."""
    listing = query.symbol(market.listings)
    limit = query.limit(default=500, most=1000)
    return [
        {
            "id": trade.number,
            "price": _text(trade.price),
            "qty": _text(trade.amount),
            "quoteQty": _text(trade.price * trade.amount),
            "time": trade.time_ms,
            "isBuyerMaker": trade.is_sale,
            "isBestMatch": True,
        }
        for trade in _newest_trades(market, listing, limit, now_ms, now_ms)
    ]


def aggregate_trades(market: Market, query: Query, now_ms: int) -> list[dict[str, Any]]:
    """Return trades from a number or a time on, oldest first; without either the newest."""
    listing = query.symbol(market.listings)
    limit = query.limit(default=500, most=1000)
    number, start, end = (query.number(name) for name in ("fromId", "startTime", "endTime"))
    bar_ms = market.source.base.seconds * 1000
    last = now_ms if end is None else end
    if number is not None:
        start = time_of(number, bar_ms)
    if start is None:
        trades = _newest_trades(market, listing, limit, last, now_ms)
    else:
        start = max(start, market.first_open(listing.name, market.source.base))
        trades = _oldest_trades(market, listing, (start, min(last, now_ms)), limit, now_ms)
    return [
        {
            "a": trade.number,
            "p": _text(trade.price),
            "q": _text(trade.amount),
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
