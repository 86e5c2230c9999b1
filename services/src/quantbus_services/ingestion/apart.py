"""Keeps bars that a paper exchange made up, or shifted in time, apart from those of a market."""

from collections.abc import Iterable
from datetime import UTC, datetime

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.ports import AsyncCandleReader
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue.source import PAPER

__all__ = ["refuse_to_mix"]

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


async def refuse_to_mix(series: Iterable[Series], reader: AsyncCandleReader, source: str) -> None:
    """See to it that the newest bar of each series is of the kind that ``source`` has.

    Raises
    ------
    ConfigError
        Naming the first series that holds the other kind, and where the bars belong instead.
    """
    for item in series:
        newest = await reader.candles(item.instrument.symbol, item.timeframe, _FIRST, _LAST, limit=1)
        if newest and newest[0].source.startswith(PAPER) != source.startswith(PAPER):
            raise ConfigError(
                f"expected {item} to hold bars such as {source!r} has, found one of "
                f"{newest[0].open_time.isoformat()} from {newest[0].source!r}: bars of a market and of a paper "
                "exchange never share a database; name others with QUANTBUS_MARKET_DB, QUANTBUS_SIGNALS_DB and "
                "QUANTBUS_TRADING_DB (in containers STACK_DATABASES in .env)"
            )
