"""The reader as plain functions, for notebooks: each connects, reads and closes. Many calls: keep a `MarketData`."""

from typing import Any

from quantbus_contracts.market.market_data import Fields, MarketData, Symbols, Table
from quantbus_contracts.market.query import Form, Moment
from quantbus_contracts.timeframe import Timeframe

__all__ = ["get_crypto_market_data", "get_crypto_min_data", "get_market_data"]


def get_market_data(
    symbols: Symbols,
    start: Moment,
    end: Moment,
    fields: Fields = None,
    timeframe: str | Timeframe = "1d",
    type: str = "crypto",  # the name under which people know it
    *,
    as_: Form = "pandas",
    **more: Any,  # noqa: ANN401  # made_from and partial, as the method has them
) -> Table:
    """Return the closed bars of one or many symbols; see `MarketData.get_market_data`."""
    with MarketData.from_env() as data:
        return data.get_market_data(symbols, start, end, fields, timeframe, type, as_=as_, **more)


def get_crypto_market_data(
    symbols: Symbols, start: Moment, end: Moment, fields: Fields = None, *, as_: Form = "pandas"
) -> Table:
    """Return 1d bars; see `MarketData.get_market_data`."""
    return get_market_data(symbols, start, end, fields, "1d", as_=as_)


def get_crypto_min_data(
    symbols: Symbols, start: Moment, end: Moment, fields: Fields = None, *, as_: Form = "pandas"
) -> Table:
    """Return 1m bars; see `MarketData.get_market_data`."""
    return get_market_data(symbols, start, end, fields, "1m", as_=as_)
