"""The public routes of Binance USD-M futures."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from quantbus_services.paper_exchange.binance import answers as binance
from quantbus_services.paper_exchange.binance.answers import decimal_text
from quantbus_services.paper_exchange.binance.queries import Query, Refusal
from quantbus_services.paper_exchange.binance.spot_routes import Answer, ping, server_time
from quantbus_services.paper_exchange.generator.funding import (
    CAP,
    INTEREST,
    PERIOD_MS,
    Funding,
    funding_between,
    next_funding,
)
from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.listings.brackets import bracket_rows
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.series import Integers, floor_to
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["MIN_NOTIONAL", "ROUTES", "market_filters"]

MIN_NOTIONAL = 5.0
"""Least worth of an order, in the quote currency."""
_ONBOARD_MS = 1_568_102_400_000
_DELIVERY_MS = 4_133_404_800_000
"""2100-12-25: what Binance gives for contracts that never expire."""
_HOUR_MS = 3_600_000
_PERIODS = {
    name: minutes * 60_000
    for name, minutes in (
        ("5m", 5), ("15m", 15), ("30m", 30), ("1h", 60), ("2h", 120), ("4h", 240), ("6h", 360), ("12h", 720),
        ("1d", 1_440),
    )
}  # fmt: skip
_HISTORY_MS = 30 * 86_400_000
_RATE_LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
]
_KLINES = frozenset({"symbol", "interval", "startTime", "endTime", "limit"})
_BY_PAIR = frozenset({"pair", "interval", "startTime", "endTime", "limit"})
_ONE = frozenset({"symbol"})


def _exchange_info(venue: Venue, query: Query, now_ms: int) -> object:
    listed = venue.futures.listed(now_ms)
    quotes = sorted({listing.quote for listing in listed.values()})
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": _RATE_LIMITS,
        "exchangeFilters": [],
        "assets": [{"asset": quote, "marginAvailable": True, "autoAssetExchange": "0"} for quote in quotes],
        "symbols": [_market(venue.futures, listing, now_ms) for listing in listed.values()],
    }


def _market(market: PerpetualMarket, listing: Listing, now_ms: int) -> dict[str, Any]:
    tiers = bracket_rows(listing)["brackets"]
    ends = market.ends_at(listing.name, now_ms)
    opened = market.roster.entries(now_ms)[listing.name].opened_ms
    return {
        "symbol": listing.name,
        "pair": listing.name,
        "contractType": "PERPETUAL",
        "deliveryDate": _DELIVERY_MS if ends is None or ends > now_ms else ends,
        "onboardDate": _ONBOARD_MS if opened is None else opened,
        "status": "TRADING" if market.status(listing.name, now_ms) == "TRADING" else "SETTLING",
        "maintMarginPercent": f"{tiers[0]['maintMarginRatio'] * 100:.4f}",
        "requiredMarginPercent": f"{100 / tiers[0]['initialLeverage']:.4f}",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.quote,
        "pricePrecision": listing.price_decimals,
        "quantityPrecision": listing.amount_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": market_filters(listing),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def market_filters(listing: Listing) -> list[dict[str, Any]]:
    """Return the rules that an order in a futures market has to keep."""
    tick, step = decimal_text(listing.tick), decimal_text(listing.step)
    lot = {"minQty": step, "maxQty": "1000000000", "stepSize": step}
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", **lot},
        {"filterType": "MARKET_LOT_SIZE", **lot},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": f"{MIN_NOTIONAL:g}"},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": "1.0500",
            "multiplierDown": "0.9500",
            "multiplierDecimal": "4",
        },
    ]


def _klines(venue: Venue, query: Query, now_ms: int) -> str:
    page = binance.kline_page(venue.futures, query, now_ms, most=1500)
    shown = venue.shown("swap", page.listing.name, page.timeframe, page.bars, now_ms)
    return binance.kline_rows(shown, page.timeframe.seconds * 1000)


def _price_klines(prices: Callable[[PerpetualMarket], Market], *, named_by: str = "symbol") -> Answer:
    """Answer with klines of a price that nobody trades at: without volume."""

    def answer(venue: Venue, query: Query, now_ms: int) -> object:
        page = binance.kline_page(prices(venue.futures), query, now_ms, most=1500, named_by=named_by)
        return binance.kline_rows(page.bars, page.timeframe.seconds * 1000)

    return answer


def _of_futures(make: Callable[[Market, Query, int], object]) -> Answer:
    return lambda venue, query, now_ms: make(venue.futures, query, now_ms)


def _each(one: Callable[[PerpetualMarket, Listing, int], dict[str, Any]]) -> Answer:
    """Answer for one market as an object, without a symbol for all as a list."""

    def answer(venue: Venue, query: Query, now_ms: int) -> object:
        listed = venue.futures.listed(now_ms)
        if query.names_one:
            return one(venue.futures, query.symbol(listed), now_ms)
        return [one(venue.futures, listing, now_ms) for listing in listed.values()]

    return answer


def _ticker_24h(market: PerpetualMarket, listing: Listing, now_ms: int) -> dict[str, Any]:
    row = binance.ticker_24h(market, listing, now_ms)
    spot_only = ("prevClosePrice", "bidPrice", "bidQty", "askPrice", "askQty")
    return {name: value for name, value in row.items() if name not in spot_only}


def _price(market: PerpetualMarket, listing: Listing, now_ms: int) -> dict[str, Any]:
    return binance.price_ticker(market, listing, now_ms) | {"time": now_ms}


def _best(market: PerpetualMarket, listing: Listing, now_ms: int) -> dict[str, Any]:
    return binance.book_ticker(market, listing, now_ms) | {"time": now_ms, "lastUpdateId": now_ms}


def _premium_index(market: PerpetualMarket, listing: Listing, now_ms: int) -> dict[str, Any]:
    funding = next_funding(market, listing.name, now_ms)
    return {
        "symbol": listing.name,
        "markPrice": decimal_text(funding.mark),
        "indexPrice": decimal_text(market.index.last_price(listing.name, now_ms)),
        "estimatedSettlePrice": decimal_text(funding.mark),
        "lastFundingRate": decimal_text(funding.rate),
        "interestRate": decimal_text(INTEREST),
        "nextFundingTime": funding.time_ms,
        "time": now_ms,
    }


def _funding_info(market: PerpetualMarket, listing: Listing, now_ms: int) -> dict[str, Any]:
    return {
        "symbol": listing.name,
        "adjustedFundingRateCap": decimal_text(CAP),
        "adjustedFundingRateFloor": decimal_text(-CAP),
        "fundingIntervalHours": PERIOD_MS // _HOUR_MS,
        "disclaimer": False,
    }


def _paid(
    market: PerpetualMarket, name: str, bounds: tuple[int, int], reach_ms: int, now_ms: int
) -> list[Funding]:
    """Return what was paid within the bounds, no further than ``reach_ms`` from where there is anything."""
    first = max(bounds[0], market.first_open(name, market.source.base, now_ms))
    return funding_between(market, name, first, min(bounds[1], first + reach_ms), now_ms)


def _funding_rates(venue: Venue, query: Query, now_ms: int) -> list[dict[str, Any]]:
    """Return what was paid: the oldest from ``startTime`` on, otherwise the newest; of all markets by turns."""
    listed = venue.futures.listed(now_ms)
    listings = [query.symbol(listed)] if query.names_one else list(listed.values())
    start, end = query.number("startTime"), query.number("endTime")
    limit = query.limit(default=100, most=1000)
    reach = (-(-limit // max(1, len(listings))) + 1) * PERIOD_MS
    last = min(now_ms, end or now_ms)
    bounds = (max(0, last - reach), last) if start is None else (start, last)
    rows = [
        (paid.time_ms, listing.name, paid)
        for listing in listings
        for paid in _paid(venue.futures, listing.name, bounds, reach, now_ms)
    ]
    rows.sort(key=lambda row: row[:2])
    return [
        {
            "symbol": name,
            "fundingTime": moment,
            "fundingRate": decimal_text(paid.rate),
            "markPrice": decimal_text(paid.mark),
        }
        for moment, name, paid in (rows[-limit:] if start is None else rows[:limit])
    ]


def _open_interest(venue: Venue, query: Query, now_ms: int) -> dict[str, Any]:
    listing = query.symbol(venue.futures.listed(now_ms))
    held = venue.futures.open_interest(listing.name, np.array([now_ms]), now_ms)[0]
    return {"openInterest": f"{held:.{listing.amount_decimals}f}", "symbol": listing.name, "time": now_ms}


def _open_interest_history(venue: Venue, query: Query, now_ms: int) -> list[dict[str, Any]]:
    """Return the open interest at the ends of periods; Binance keeps it for thirty days."""
    market = venue.futures
    listing = query.symbol(market.listed(now_ms))
    period = _PERIODS.get(query.choice("period", ("", *_PERIODS)))
    if period is None:
        raise Refusal(-1102, "Mandatory parameter 'period' was not sent, was empty/null, or malformed.")
    start, end = query.number("startTime"), query.number("endTime")
    limit = query.limit(default=30, most=500)
    oldest = max(now_ms - _HISTORY_MS, market.first_open(listing.name, market.source.base, now_ms))
    last = floor_to(period, min(now_ms, end or now_ms))
    if start is not None and start < now_ms - _HISTORY_MS:
        raise Refusal(-1130, "parameter 'startTime' is invalid.")
    first = -(-max(oldest, start or oldest) // period) * period
    moments = np.arange(first, last + 1, period, dtype=np.int64)
    moments = moments[-limit:] if start is None or end is None else moments[:limit]
    return _open_interest_rows(market, listing, moments, now_ms)


def _open_interest_rows(
    market: PerpetualMarket, listing: Listing, moments: Integers, now_ms: int
) -> list[dict[str, Any]]:
    if len(moments) == 0:
        return []
    held = market.open_interest(listing.name, moments, now_ms)
    worth = held * market.mark_prices(listing.name, moments, now_ms)
    return [
        {
            "symbol": listing.name,
            "sumOpenInterest": decimal_text(amount),
            "sumOpenInterestValue": decimal_text(value),
            "timestamp": moment,
        }
        for moment, amount, value in zip(moments.tolist(), held.tolist(), worth.tolist(), strict=True)
    ]


ROUTES: Mapping[str, tuple[Answer, frozenset[str]]] = {
    "/fapi/v1/ping": (ping, frozenset()),
    "/fapi/v1/time": (server_time, frozenset()),
    "/fapi/v1/exchangeInfo": (_exchange_info, frozenset()),
    "/fapi/v1/klines": (_klines, _KLINES),
    "/fapi/v1/markPriceKlines": (_price_klines(lambda market: market.mark), _KLINES),
    "/fapi/v1/premiumIndexKlines": (_price_klines(lambda market: market.premium), _KLINES),
    "/fapi/v1/indexPriceKlines": (_price_klines(lambda market: market.index, named_by="pair"), _BY_PAIR),
    "/fapi/v1/premiumIndex": (_each(_premium_index), _ONE),
    "/fapi/v1/fundingRate": (_funding_rates, frozenset({"symbol", "startTime", "endTime", "limit"})),
    "/fapi/v1/fundingInfo": (_each(_funding_info), frozenset()),
    "/fapi/v1/openInterest": (_open_interest, _ONE),
    "/futures/data/openInterestHist": (
        _open_interest_history,
        frozenset({"symbol", "period", "startTime", "endTime", "limit"}),
    ),
    "/fapi/v1/depth": (_of_futures(binance.depth), frozenset({"symbol", "limit"})),
    "/fapi/v1/trades": (_of_futures(binance.recent_trades), frozenset({"symbol", "limit"})),
    "/fapi/v1/aggTrades": (
        _of_futures(binance.aggregate_trades),
        frozenset({"symbol", "fromId", "startTime", "endTime", "limit"}),
    ),
    "/fapi/v1/ticker/24hr": (_each(_ticker_24h), _ONE),
    "/fapi/v1/ticker/price": (_each(_price), _ONE),
    "/fapi/v2/ticker/price": (_each(_price), _ONE),
    "/fapi/v1/ticker/bookTicker": (_each(_best), _ONE),
}
"""What answers a path, and the parameters that it reads."""
