"""Market data: closed bars of many symbols as tables, and snapshots of them."""

from quantbus_contracts.market.functions import (
    get_crypto_market_data,
    get_crypto_min_data,
    get_market_data,
)
from quantbus_contracts.market.market_data import AsyncMarketData, MarketData
from quantbus_contracts.market.query import MarketQuery

__all__ = [
    "AsyncMarketData",
    "MarketData",
    "MarketQuery",
    "get_crypto_market_data",
    "get_crypto_min_data",
    "get_market_data",
]
