"""Candles of the bus as columns, for replay."""

from collections.abc import Sequence
from datetime import UTC, timedelta

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.frames import candle_frame
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.series import Bars

__all__ = ["bars_of_bus"]

_AHEAD = timedelta(days=7)
"""How much is kept to be replayed after the start."""


def bars_of_bus(
    connection: Connection,
    *,
    venue: str,
    timeframe: Timeframe,
    pairs: Sequence[tuple[str, str]] | None,
    history: timedelta,
) -> dict[Listing, Bars]:
    """Read the newest stored bars that all pairs share: ``history`` and a week more, or what there is.

    Without ``pairs`` every spot market of the venue that has bars is read.

    Raises
    ------
    ConfigError
        If a pair has no stored bars.
    """
    reader = CandleReader(connection)
    newest = reader.last_open_times(timeframe)
    instruments = _instruments(connection, venue, pairs, set(newest))
    absent = [item.symbol for item in instruments if item.symbol not in newest]
    if absent or not instruments:
        raise ConfigError(
            f"expected {timeframe.name} candles of {', '.join(absent) or f'{venue} spot markets'} on the bus, found "
            f"{', '.join(sorted(newest)) or 'none at all'}; bring them in with `quantbus ingest`"
        )
    end = min(newest[item.symbol] for item in instruments) + timeframe.delta
    series = {}
    for item in instruments:
        frame = candle_frame(reader, [item.symbol], timeframe, end - history - _AHEAD, end)
        bars = _bars_of(frame)
        if len(bars) == 0:
            raise ConfigError(
                f"expected candles of {item.symbol} until {end:%Y-%m-%d %H:%M}, where the others end, found none "
                f"in the {history + _AHEAD} before; leave the symbol out, or bring more of it in"
            )
        series[Listing.from_bars(item.base, item.quote, bars)] = bars
    return series


def _instruments(
    connection: Connection, venue: str, pairs: Sequence[tuple[str, str]] | None, stored: set[str]
) -> list[Instrument]:
    if pairs is not None:
        return [Instrument(venue, "spot", base, quote) for base, quote in pairs]
    known = InstrumentStore(connection).all(venue)
    return [item for item in known if item.market_type == "spot" and item.symbol in stored]


def _bars_of(frame: pd.DataFrame) -> Bars:
    moments = pd.DatetimeIndex(frame.index.get_level_values("datetime")).tz_convert(UTC).tz_localize(None)
    columns = (frame[name].to_numpy(dtype=np.float64) for name in ("open", "high", "low", "close", "volume"))
    return Bars.of(moments.to_numpy().astype("datetime64[ms]").astype(np.int64), *columns)
