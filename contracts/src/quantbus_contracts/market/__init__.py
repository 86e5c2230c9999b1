"""Market data: closed bars of many symbols as tables, and snapshots of them."""

from quantbus_contracts.market.context import MarketContext
from quantbus_contracts.market.functions import (
    get_crypto_market_data,
    get_crypto_min_data,
    get_market_data,
)
from quantbus_contracts.market.market_data import SNAPSHOTS, AsyncMarketData, MarketData
from quantbus_contracts.market.query import MarketQuery
from quantbus_contracts.market.snapshot_meta import SnapshotMeta, meta_of
from quantbus_contracts.market.snapshots import Snapshot, save_snapshot

__all__ = [
    "SNAPSHOTS",
    "AsyncMarketData",
    "MarketContext",
    "MarketData",
    "MarketQuery",
    "Snapshot",
    "SnapshotMeta",
    "get_crypto_market_data",
    "get_crypto_min_data",
    "get_market_data",
    "meta_of",
    "save_snapshot",
]
