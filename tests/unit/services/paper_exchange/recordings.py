"""Small recordings for tests: bars on ticks of a cent, amounts of a thousandth."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quantbus_contracts.clock import Clock
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.basis import BasisSource
from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.listings.events import MarketEvents
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.recordings.recorded import RecordedSource
from quantbus_services.paper_exchange.series import Bars
from quantbus_services.paper_exchange.time_line import VenueClock
from quantbus_services.paper_exchange.venue import Venue

MINUTE = 60_000
DAY = 86_400_000
BTC = Listing("BTC", "USDT", price_decimals=2, amount_decimals=3)
START = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp() * 1000)


def recording(
    count: int, *, start_ms: int = START, seed: int = 7, step_ms: int = MINUTE, without: Collection[int] = ()
) -> Bars:
    """Return ``count`` bars without those at the indices ``without``."""
    chance = np.random.default_rng(seed)
    edges = 100 + np.cumsum(chance.integers(-40, 41, count + 1)) / 100
    open_, close = edges[:-1], edges[1:]
    wicks = chance.integers(0, 30, (2, count)) / 100
    keep = np.array([index not in set(without) for index in range(count)])
    columns = (
        start_ms + np.arange(count, dtype=np.int64) * step_ms,
        open_,
        np.maximum(open_, close) + wicks[0],
        np.minimum(open_, close) - wicks[1],
        close,
        chance.integers(0, 9_000, count) / 1000,
    )
    rounded = [columns[0], *(np.round(column, 3) for column in columns[1:])]
    return Bars.of(*(column[keep] for column in rounded))


def market_of(bars: Bars, *, shift_ms: int = 0, base: str = "1m") -> Market:
    """Return a market that replays ``bars`` as BTC/USDT."""
    source = RecordedSource({BTC: bars}, base=Timeframe.parse(base), shift_ms=shift_ms, origin="test")
    return Market(source)


def venue_of(market: Market, clock: Clock) -> Venue:
    """Return an exchange of a spot market and no swaps, whose clock is ``clock``."""
    events = MarketEvents()
    futures = PerpetualMarket(BasisSource((), market.source, seed=1), events=events)
    return Venue(VenueClock(clock), spot=Market(market.source, events=events), futures=futures, events=events)


def write_parquet(path: Path, bars: Bars, *, replace: Mapping[str, object] | None = None) -> Path:
    """Write bars in the form that recordings have; ``replace`` exchanges whole columns."""
    columns: dict[str, object] = {
        "ts": pa.array(bars.open_time, type=pa.timestamp("ms", tz="UTC")),
        "open": bars.open,
        "high": bars.high,
        "low": bars.low,
        "close": bars.close,
        "volume": bars.volume,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({**columns, **(replace or {})}), path)
    return path
