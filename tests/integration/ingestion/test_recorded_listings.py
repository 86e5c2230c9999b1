"""Recorded market lists and order books of real exchanges, read by the real ccxt."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ccxt
import pytest

from quantbus_contracts.schema import DepthSnapshot
from quantbus_services.ingestion.listings import compare, read_listings
from quantbus_services.ingestion.observations import reduce_book

pytestmark = pytest.mark.integration

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def bodies(shared_data: Path, name: str) -> Iterator[Any]:
    with gzip.open(shared_data / "rest" / f"cryptofeed_{name}.json.gz") as file:
        for answer in json.load(file):
            yield json.loads(answer["body"])


@pytest.mark.parametrize(
    ("venue", "name", "rows"),
    [
        ("binance", "BINANCE_markets", "symbols"),
        ("binance", "BINANCE_FUTURES_markets", "symbols"),
        ("binance", "BINANCE_US_markets", "symbols"),
        ("okx", "OKX_markets", "data"),
    ],
)
def test_every_recorded_market_has_its_rules(shared_data: Path, venue: str, name: str, rows: str) -> None:
    exchange = getattr(ccxt, venue)({"options": {"crossMarginPairsData": [], "isolatedMarginPairsData": []}})
    parsed = [
        market
        for body in bodies(shared_data, name)
        for market in exchange.parse_markets(body[rows])
        if market
    ]
    listings = read_listings({market["symbol"]: market for market in parsed}, venue.upper())
    assert len(listings) > 100
    assert all(item.tick_size and item.lot_step for item in listings)
    alive = [item for item in listings if item.status == "trading"]
    assert 0.5 < len(alive) / len(listings) <= 1
    assert all(item.contract_size for item in listings if item.instrument.market_type != "spot")
    first = compare([], listings, at=NOW)
    assert (len(first.listings), first.changes) == (len(listings), ())
    assert compare(listings, listings, at=NOW).listings == ()


@pytest.mark.parametrize("name", ["BINANCE_depth", "BINANCE_FUTURES_depth", "BINANCE_US_depth"])
def test_every_recorded_book_is_reduced(shared_data: Path, name: str) -> None:
    for body in bodies(shared_data, name):
        book = ccxt.binance().parse_order_book(body, "BTC/USDT")
        parsed = reduce_book(
            book["bids"], book["asks"], symbol="BINANCE:BTCUSDT", at=NOW, source="recorded", asked=1000
        )
        assert parsed.rejections == ()
        (found,) = parsed.observations
        assert isinstance(found, DepthSnapshot)
        assert found.bid < found.mid < found.ask
        assert found.level("top20") is not None
        depths = [level.bid for level in found.levels if level.within.endswith("bps")]
        assert depths == sorted(depths)
