"""Factors on recorded bars: gaps, silent minutes, coins that were listed later."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_research.factors import catalogue, compute, compute_factors

CANDLES = frozenset({"open", "high", "low", "close", "volume", "datetime"})
FACTORS = [factor for factor in catalogue().values() if set(factor.inputs) <= CANDLES]


def recorded(folder: Path, timeframe: str, names: list[str], rows: int) -> pd.DataFrame:
    parts = {}
    for name in names:
        frame = pd.read_parquet(folder / "ohlcv" / timeframe / f"{name}_{timeframe}.parquet").iloc[-rows:]
        parts[":".join(name.split("_", 1))] = frame.set_index("ts").rename_axis("datetime")
    return pd.concat(parts, names=["symbol"])


@pytest.mark.proof
@pytest.mark.parametrize(
    ("timeframe", "names"),
    [
        ("1m", ["KRAKEN_BTCUSDC", "BINANCEUS_BTCUSDT", "BINANCE_KITEUSDT"]),
        ("1h", ["OKX_BTCUSDT", "OKX_ETHUSDT", "OKX_TONUSDT", "OKX_SUIUSDT"]),
    ],
)
def test_factors_of_recorded_bars_are_finite_and_need_no_later_or_earlier_bar(
    shared_data: Path, timeframe: str, names: list[str]
) -> None:
    panel = recorded(shared_data, timeframe, names, 6_000)
    whole = compute_factors(panel, FACTORS, workers=2)
    place = whole.groupby(level=0).cumcount().to_numpy()
    for factor in FACTORS:
        warm = place >= factor.lookback_bars - 1
        values = whole[factor.name].to_numpy()
        assert np.isfinite(values[warm]).all(), factor.name
        assert np.isnan(values[~warm]).all(), factor.name
    times = pd.DatetimeIndex(panel.index.get_level_values(1))
    middle = times.unique().sort_values()[len(times.unique()) // 2]
    seen = panel[times <= middle]
    pd.testing.assert_frame_equal(compute_factors(seen, FACTORS), whole.loc[seen.index], check_exact=True)
    own = [factor for factor in FACTORS if not factor.is_across]
    newest = panel.groupby(level=0).tail(max(factor.lookback_bars for factor in own))
    last = compute_factors(newest, own).groupby(level=0).tail(1)
    columns = [factor.name for factor in own]
    pd.testing.assert_frame_equal(last, whole.loc[last.index, columns], check_exact=True)


@pytest.mark.proof
def test_a_cross_section_of_recorded_coins_is_ranked_among_those_that_traded(shared_data: Path) -> None:
    panel = recorded(shared_data, "1h", ["OKX_BTCUSDT", "OKX_ETHUSDT", "OKX_TONUSDT", "OKX_SUIUSDT"], 26_304)
    places = compute(panel, ["return_place_24"])["return_place_24"]
    count = places.notna().groupby(level=1).sum()
    assert {2, 4} <= set(count.unique())
    assert places.groupby(level=1).sum().abs().max() < 1e-9
    assert set(places[places.index.get_level_values(1).isin(count[count == 2].index)].dropna().unique()) <= {
        -1.0,
        0.0,
        1.0,
    }
