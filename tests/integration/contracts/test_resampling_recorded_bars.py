"""Coarser bars made of recorded 1m bars are the very bars that the venue itself gave out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.bar_arrays import FIELDS, BarArrays
from quantbus_contracts.resample import resample
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration
MINUTE = Timeframe.parse("1m")
CASES = [
    ("BINANCE_BTCUSDT_1m", "5m", "BINANCE_BTCUSDT_5m", 54_489),
    ("BINANCE_BTCUSDT_1m", "15m", "BINANCE_BTCUSDT_15m__2025", 23_328),
    ("BINANCE_BTCUSDT_1m", "15m", "BINANCE_BTCUSDT_15m", 3_839),
    ("BINANCE_BTCUSDT_1m", "1h", "BINANCE_BTCUSDT_1h", 1_239),
    ("BINANCE_BTCUSDT_1m", "1d", "BINANCE_BTCUSDT_1d", 549),
    ("BINANCE_ETHUSDT_1m", "1d", "BINANCE_ETHUSDT_1d", 90),
    ("BINANCE_BTCUSDT_1m_PERP", "1d", "BINANCE_BTCUSDT_1d_PERP", 29),
    ("BINANCE_BTCUSDT_1m_PERP", "4h", "BINANCE_BTCUSDT_4h_PERP", 179),
]


def recorded(file: Path) -> BarArrays:
    frame = pd.read_parquet(file)
    times = pd.DatetimeIndex(frame["ts"]).tz_convert("UTC").tz_localize(None).to_numpy()
    columns = {name: frame[name].to_numpy(dtype=np.float64) for name in FIELDS}
    return BarArrays(times.astype("datetime64[ms]").astype(np.int64), columns)


@pytest.mark.parametrize(("fine", "name", "coarse", "least"), CASES, ids=lambda value: str(value))
def test_whole_buckets_equal_the_venues_own_bars(
    shared_data: Path, fine: str, name: str, coarse: str, least: int
) -> None:
    minutes = shared_data / "ohlcv" / "1m" / f"{fine}.parquet"
    theirs = shared_data / "ohlcv" / name / f"{coarse}.parquet"
    if not (minutes.is_file() and theirs.is_file()):
        pytest.skip(f"{minutes.name} or {theirs.name} is absent")
    made = resample(recorded(minutes), MINUTE, Timeframe.parse(name))
    said = recorded(theirs)
    _, ours, other = np.intersect1d(made.open_times_ms, said.open_times_ms, return_indices=True)
    assert len(ours) >= least
    for field in FIELDS:
        assert np.array_equal(made.columns[field][ours], said.columns[field][other]), field
