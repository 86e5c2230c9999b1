"""Candles as Freqtrade keeps them: one feather file for each pair and timeframe, named by both."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = ["feather_path", "load_freqtrade"]

_COLUMNS = ("open", "high", "low", "close", "volume")


def feather_path(folder: Path, instrument: Instrument, timeframe: Timeframe) -> Path:
    """Return where ``freqtrade download-data`` keeps these candles below the folder of an exchange."""
    code = instrument.qlib_code  # Freqtrade replaces the same characters
    if instrument.market_type == "spot":
        return folder / f"{code}-{timeframe.name}.feather"
    return folder / "futures" / f"{code}-{timeframe.name}-futures.feather"


def load_freqtrade(folder: Path, instruments: Sequence[Instrument], timeframe: Timeframe) -> pd.DataFrame:
    """Read Freqtrade's candles as a panel.

    Returns
    -------
    DataFrame
        Columns open, high, low, close, volume; index (symbol, datetime = bar open time, UTC), sorted.

    Raises
    ------
    ConfigError
        If a file is missing or unreadable, or holds candles that cannot be: a pair would be learnt from nothing.
    """
    parts = {item.symbol: _candles(feather_path(folder, item, timeframe), timeframe) for item in instruments}
    return pd.concat(parts, names=["symbol", "datetime"]).sort_index()


def _candles(path: Path, timeframe: Timeframe) -> pd.DataFrame:
    if not path.is_file():
        raise ConfigError(
            f"expected Freqtrade's candles in {path}, found no such file; fetch them with "
            f"`freqtrade download-data --timeframes {timeframe.name}`"
        )
    try:
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all().select(["date", *_COLUMNS]).to_pandas()
    except (OSError, ValueError, KeyError) as error:  # Arrow's errors are ValueErrors
        raise ConfigError(
            f"expected Freqtrade's candles in {path}, found a file that cannot be read: {error}"
        ) from None
    opened = pd.DatetimeIndex(pd.to_datetime(table["date"], utc=True)).as_unit("ms")
    candles: pd.DataFrame = table[[*_COLUMNS]].astype(np.float64).set_axis(opened.rename("datetime"), axis=0)
    _require_sound(candles, path, timeframe)
    return candles


def _require_sound(candles: pd.DataFrame, path: Path, timeframe: Timeframe) -> None:
    opened = pd.DatetimeIndex(candles.index)
    faults = {
        "no candles": len(candles) == 0,
        "candles out of order, or twice": not (opened.is_monotonic_increasing and opened.is_unique),
        f"candles that do not open as {timeframe.name} bars do": bool(
            (opened.asi8 % (timeframe.seconds * 1000) != 0).any()
        ),
        "values that are no finite numbers": not np.isfinite(candles.to_numpy()).all(),
        "a high below a low": bool((candles["high"] < candles["low"]).any()),
    }
    for what, found in faults.items():
        if found:
            raise ConfigError(f"expected sound candles in {path}, found {what}")
