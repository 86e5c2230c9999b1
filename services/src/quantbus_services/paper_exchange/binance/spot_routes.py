"""The public routes of Binance spot."""

from collections.abc import Callable, Mapping
from typing import Any

from quantbus_services.paper_exchange.binance import answers as binance
from quantbus_services.paper_exchange.binance.answers import decimal_text
from quantbus_services.paper_exchange.binance.queries import Query
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["MIN_NOTIONAL", "ROUTES", "Answer", "market_filters", "ping", "server_time"]

Answer = Callable[[Venue, Query, int], object]
"""Gives text that is JSON already, or something to turn into JSON."""

MIN_NOTIONAL = 5.0
"""Least worth of an order, in the quote currency."""
_RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
]
_MARKETS = frozenset({"symbol", "symbols", "symbolStatus"})


def server_time(venue: Venue, query: Query, now_ms: int) -> object:
    """Return the exchange's time."""
    return {"serverTime": now_ms}


def ping(venue: Venue, query: Query, now_ms: int) -> object:
    """Return nothing, in good health."""
    return {}


def _exchange_info(venue: Venue, query: Query, now_ms: int) -> object:
    listed = venue.spot.listed(now_ms)
    chosen = query.symbols(listed)
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": _RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [
            _market(listing, venue.spot.status(listing.name, now_ms))
            for listing in (listed.values() if chosen is None else chosen)
        ],
    }


def _market(listing: Listing, status: str) -> dict[str, Any]:
    return {
        "symbol": listing.name,
        "status": status,
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
        "filters": market_filters(listing),
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
    }


def market_filters(listing: Listing) -> list[dict[str, Any]]:
    """Return the rules that an order in a spot market has to keep."""
    tick, step = decimal_text(listing.tick), decimal_text(listing.step)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000000000.00000000", "stepSize": step},
        {
            "filterType": "NOTIONAL",
            "minNotional": decimal_text(MIN_NOTIONAL),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ]


def _klines(venue: Venue, query: Query, now_ms: int) -> str:
    page = binance.kline_page(venue.spot, query, now_ms)
    shown = venue.shown("spot", page.listing.name, page.timeframe, page.bars, now_ms)
    return binance.kline_rows(shown, page.timeframe.seconds * 1000)


def _of_spot(make: Callable[[Market, Query, int], object]) -> Answer:
    return lambda venue, query, now_ms: make(venue.spot, query, now_ms)


def _tickers(one: Callable[..., dict[str, Any]]) -> Answer:
    """Answer for one market as an object, for several or all as a list."""

    def answer(venue: Venue, query: Query, now_ms: int) -> object:
        market, listed = venue.spot, venue.spot.listed(now_ms)
        listings = query.symbols(listed)
        options = (
            {"full": query.choice("type", ("FULL", "MINI")) == "FULL"} if one is binance.ticker_24h else {}
        )
        if listings is not None and query.names_one:
            return one(market, listings[0], now_ms, **options)
        chosen = listed.values() if listings is None else listings
        return [one(market, listing, now_ms, **options) for listing in chosen]

    return answer


def _coin_futures(venue: Venue, query: Query, now_ms: int) -> object:
    """Return the market list of a futures exchange that lists nothing; ccxt asks for it by default."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [],
    }


def _status(venue: Venue, query: Query, now_ms: int) -> object:
    return {"status": 0, "msg": "normal"}


ROUTES: Mapping[str, tuple[Answer, frozenset[str]]] = {
    "/api/v3/ping": (ping, frozenset()),
    "/api/v3/time": (server_time, frozenset()),
    "/api/v3/exchangeInfo": (_exchange_info, _MARKETS | {"permissions", "showPermissionSets"}),
    "/api/v3/klines": (_klines, frozenset({"symbol", "interval", "startTime", "endTime", "limit"})),
    "/api/v3/depth": (_of_spot(binance.depth), frozenset({"symbol", "limit"})),
    "/api/v3/trades": (_of_spot(binance.recent_trades), frozenset({"symbol", "limit"})),
    "/api/v3/aggTrades": (
        _of_spot(binance.aggregate_trades),
        frozenset({"symbol", "fromId", "startTime", "endTime", "limit"}),
    ),
    "/api/v3/ticker/24hr": (_tickers(binance.ticker_24h), _MARKETS | {"type"}),
    "/api/v3/ticker/price": (_tickers(binance.price_ticker), _MARKETS),
    "/api/v3/ticker/bookTicker": (_tickers(binance.book_ticker), _MARKETS),
    "/sapi/v1/system/status": (_status, frozenset()),
    "/dapi/v1/exchangeInfo": (_coin_futures, frozenset()),
}
"""What answers a path, and the parameters that it reads."""
