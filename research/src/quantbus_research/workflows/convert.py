"""Convert: bars of the bus, or Freqtrade's own files, to Qlib data with a manifest."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd

from quantbus_contracts.bar_arrays import FIELDS
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market.tables import as_pandas
from quantbus_contracts.resample import resample
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import bar_arrays
from quantbus_research.dataset.freqtrade_files import load_freqtrade
from quantbus_research.engine import BinStore, export_bins

__all__ = ["BarSource", "convert", "from_freqtrade"]

BarSource = Callable[[Timeframe], pd.DataFrame]
"""The panel of one timeframe."""
_DAY = Timeframe.parse("1d")


def convert(
    bars: BarSource,
    instruments: Sequence[Instrument],
    timeframes: Sequence[Timeframe],
    folder: Path,
    *,
    source: str,
    now: datetime,
) -> BinStore:
    """Write Qlib data of these timeframes below ``folder``.

    Days are made of the coarsest other timeframe where they are not asked for: Qlib looks a benchmark up by the day
    before it does anything else.

    Raises
    ------
    ConfigError
        If an instrument has no bars, or two share the name that Qlib would know them by.
    """
    panels = {timeframe: bars(timeframe) for timeframe in timeframes}
    for timeframe, panel in panels.items():
        lacking = sorted({item.symbol for item in instruments} - set(panel.index.get_level_values(0)))
        if lacking:
            raise ConfigError(
                f"expected {timeframe.name} bars of each instrument, found none of {', '.join(lacking)}; leave it "
                "out, choose another range, or bring them in with `quantbus ingest backfill` or `import`"
            )
    if _DAY not in panels:
        coarsest = max(panels)
        panels[_DAY] = _days(panels[coarsest], coarsest)
    codes = {item.symbol: item.qlib_code for item in instruments}
    return export_bins(panels, codes, folder, source=source, now=now)


def from_freqtrade(folder: Path, instruments: Sequence[Instrument]) -> BarSource:
    """Return the source that reads what ``freqtrade download-data`` wrote for an exchange."""
    return lambda timeframe: load_freqtrade(folder, instruments, timeframe)


def _days(panel: pd.DataFrame, timeframe: Timeframe) -> pd.DataFrame:
    parts = {
        symbol: resample(bars, timeframe, _DAY, partial="keep")
        for symbol, bars in bar_arrays(panel, FIELDS).items()
    }
    return as_pandas(parts, FIELDS, _DAY)
