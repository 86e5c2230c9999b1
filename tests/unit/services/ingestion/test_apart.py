"""Bars of a paper exchange and of a market never meet."""

from datetime import UTC, datetime

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import Candle
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_candle
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.apart import refuse_to_mix
from quantbus_services.ingestion.series import Series

MINUTE = Timeframe.parse("1m")
BTC, ETH = (Series(Instrument.from_pair("BINANCE", pair), MINUTE) for pair in ("BTC/USDT", "ETH/USDT"))
OPENED = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Stored:
    """Bars of BTC by their sources, the oldest first; none of anything else."""

    def __init__(self, *sources: str) -> None:
        self.bars = [
            make_candle(open_time=OPENED + number * MINUTE.delta, source=source)
            for number, source in enumerate(sources)
        ]

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, *, limit: int | None = None
    ) -> list[Candle]:
        found = [bar for bar in self.bars if bar.symbol == symbol and start <= bar.open_time < end]
        return found[-limit:] if limit else found

    async def open_times(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[datetime]:
        raise NotImplementedError

    async def last_open_time(self, symbol: str, timeframe: Timeframe) -> datetime | None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("stored", "source"),
    [
        ([], "binance"),
        ([], "paper:SYNTHETIC"),
        (["import:csv", "binance"], "binance"),
        (["fallback:OKX:BTCUSDT"], "binance"),
        (["paper:recorded"], "paper:SYNTHETIC"),
    ],
)
async def test_bars_of_one_kind_are_continued(stored: list[str], source: str) -> None:
    await refuse_to_mix([BTC, ETH], Stored(*stored), source)


@pytest.mark.parametrize(
    ("stored", "source"),
    [
        ("paper:SYNTHETIC", "binance"),
        ("paper:SYNTHETIC:fallback:OKX:BTCUSDT", "binance"),
        ("binance", "paper:SYNTHETIC"),
        ("import:csv", "paper:recorded"),
    ],
)
async def test_bars_of_the_other_kind_are_refused_with_what_to_do(stored: str, source: str) -> None:
    with pytest.raises(ConfigError, match=r"BINANCE:BTCUSDT 1m.*STACK_DATABASES") as refused:
        await refuse_to_mix([ETH, BTC], Stored(stored), source)
    for word in (stored, source, OPENED.isoformat(), "QUANTBUS_MARKET_DB"):
        assert word in str(refused.value)


async def test_it_is_the_newest_bar_that_counts() -> None:
    with pytest.raises(ConfigError):
        await refuse_to_mix([BTC], Stored("binance", "paper:SYNTHETIC"), "binance")
