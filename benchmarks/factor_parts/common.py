"""Thirty common factors: ours beside pandas and beside TA-Lib, as one would write them there."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import talib
from bus_parts.ground import Results

from factor_parts.ground import Agreement, Floats, side_by_side
from quantbus_research.factors import Factor, compute, select

__all__ = ["measure"]

Frame = dict[str, pd.Series]
Arrays = dict[str, Floats]


def _shift(values: Floats, bars: int) -> Floats:
    return np.concatenate([np.full(bars, np.nan), values[:-bars]])


def _log1p(values: pd.Series) -> pd.Series:
    return pd.Series(np.log1p(values), index=values.index)


def _pandas_z(values: pd.Series, window: int) -> pd.Series:
    rolling = values.rolling(window)
    return (values - rolling.mean()) / rolling.std(ddof=0)


def _talib_z(values: Floats, window: int) -> Floats:
    return np.asarray((values - talib.SMA(values, window)) / talib.STDDEV(values, window))


def _pandas_place(b: Frame, window: int) -> pd.Series:
    top, bottom = b["high"].rolling(window).max(), b["low"].rolling(window).min()
    return (b["close"] - bottom) / (top - bottom)


def _talib_place(b: Arrays, window: int) -> Floats:
    top, bottom = talib.MAX(b["high"], window), talib.MIN(b["low"], window)
    return np.asarray((b["close"] - bottom) / (top - bottom))


def _pandas_slope(values: pd.Series, window: int) -> pd.Series:
    place = pd.Series(np.arange(len(values), dtype=np.float64), index=values.index)
    return values.rolling(window).cov(place) / place.rolling(window).var()


def _pandas_linear(values: pd.Series, window: int) -> pd.Series:
    weights = np.arange(1.0, window + 1)
    weighted = np.convolve(values.to_numpy(), weights[::-1] / weights.sum(), "full")[: len(values)]
    return pd.Series(weighted, index=values.index)


def _garman_klass(high: Floats, low: Floats, open_: Floats, close: Floats) -> Floats:
    return np.asarray(0.5 * np.log(high / low) ** 2 - (2 * math.log(2) - 1) * np.log(close / open_) ** 2)


def _range_of_series(b: Frame) -> pd.Series:
    before = b["close"].shift(1)
    return pd.concat([b["high"], before], axis=1).max(axis=1, skipna=False) - pd.concat(
        [b["low"], before], axis=1
    ).min(axis=1, skipna=False)


WAYS: dict[str, tuple[Callable[[Frame], pd.Series], Callable[[Arrays], Floats]]] = {
    "sma_distance_20": (
        lambda b: b["close"] / b["close"].rolling(20).mean() - 1,
        lambda b: b["close"] / talib.SMA(b["close"], 20) - 1,
    ),
    "sma_distance_60": (
        lambda b: b["close"] / b["close"].rolling(60).mean() - 1,
        lambda b: b["close"] / talib.SMA(b["close"], 60) - 1,
    ),
    "wma_distance_20": (
        lambda b: b["close"] / _pandas_linear(b["close"], 20) - 1,
        lambda b: b["close"] / talib.WMA(b["close"], 20) - 1,
    ),
    "sma_cross_5_20": (
        lambda b: b["close"].rolling(5).mean() / b["close"].rolling(20).mean() - 1,
        lambda b: talib.SMA(b["close"], 5) / talib.SMA(b["close"], 20) - 1,
    ),
    "sma_cross_20_60": (
        lambda b: b["close"].rolling(20).mean() / b["close"].rolling(60).mean() - 1,
        lambda b: talib.SMA(b["close"], 20) / talib.SMA(b["close"], 60) - 1,
    ),
    "channel_position_20": (
        lambda b: 2 * _pandas_place(b, 20) - 1,
        lambda b: 2 * _talib_place(b, 20) - 1,
    ),
    "channel_position_60": (
        lambda b: 2 * _pandas_place(b, 60) - 1,
        lambda b: 2 * _talib_place(b, 60) - 1,
    ),
    "channel_width_30": (
        lambda b: (b["high"].rolling(30).max() - b["low"].rolling(30).min()) / b["close"],
        lambda b: (talib.MAX(b["high"], 30) - talib.MIN(b["low"], 30)) / b["close"],
    ),
    "efficiency_20": (
        lambda b: b["close"].diff(20) / b["close"].diff().abs().rolling(20).sum(),
        lambda b: talib.MOM(b["close"], 20) / talib.SUM(np.abs(talib.MOM(b["close"], 1)), 20),
    ),
    "trend_slope_30": (
        lambda b: _pandas_slope(b["log"], 30),
        lambda b: talib.LINEARREG_SLOPE(b["log"], 30),
    ),
    "breakout_20": (
        lambda b: b["close"] / b["high"].rolling(20).max().shift(1) - 1,
        lambda b: b["close"] / _shift(talib.MAX(b["high"], 20), 1) - 1,
    ),
    "log_return_1": (lambda b: b["log"].diff(), lambda b: talib.MOM(b["log"], 1)),
    "log_return_24": (lambda b: b["log"].diff(24), lambda b: talib.MOM(b["log"], 24)),
    "acceleration_10": (
        lambda b: b["log"].diff(10).diff(10),
        lambda b: talib.MOM(talib.MOM(b["log"], 10), 10),
    ),
    "rsi_14": (
        lambda b: (
            2 * b["close"].diff().clip(lower=0).rolling(14).sum() / b["close"].diff().abs().rolling(14).sum()
            - 1
        ),
        lambda b: (
            2
            * talib.SUM(np.maximum(talib.MOM(b["close"], 1), 0), 14)
            / talib.SUM(np.abs(talib.MOM(b["close"], 1)), 14)
            - 1
        ),
    ),
    "stochastic_14": (
        lambda b: _pandas_place(b, 14).rolling(3).mean(),
        lambda b: talib.SMA(_talib_place(b, 14), 3),
    ),
    "sign_balance_20": (
        lambda b: np.sign(b["close"].diff()).rolling(20).mean(),
        lambda b: talib.SMA(np.sign(talib.MOM(b["close"], 1)), 20),
    ),
    "return_zscore_60": (lambda b: _pandas_z(b["return"], 60), lambda b: _talib_z(b["return"], 60)),
    "drawdown_60": (
        lambda b: b["close"] / b["close"].rolling(60).max() - 1,
        lambda b: b["close"] / talib.MAX(b["close"], 60) - 1,
    ),
    "rebound_60": (
        lambda b: b["close"] / b["close"].rolling(60).min() - 1,
        lambda b: b["close"] / talib.MIN(b["close"], 60) - 1,
    ),
    "realised_volatility_20": (
        lambda b: b["return"].rolling(20).std(ddof=0),
        lambda b: talib.STDDEV(b["return"], 20),
    ),
    "parkinson_volatility_20": (
        lambda b: np.sqrt((np.log(b["high"] / b["low"]) ** 2).rolling(20).mean() / (4 * math.log(2))),
        lambda b: np.sqrt(talib.SMA(np.log(b["high"] / b["low"]) ** 2, 20) / (4 * math.log(2))),
    ),
    "garman_klass_volatility_20": (
        lambda b: np.sqrt(
            pd.Series(_garman_klass(*(b[name].to_numpy() for name in ("high", "low", "open", "close"))))
            .rolling(20)
            .mean()
            .clip(lower=0)
        ),
        lambda b: np.sqrt(
            np.maximum(talib.SMA(_garman_klass(b["high"], b["low"], b["open"], b["close"]), 20), 0)
        ),
    ),
    "volatility_ratio_10_50": (
        lambda b: b["return"].rolling(10).std(ddof=0) / b["return"].rolling(50).std(ddof=0) - 1,
        lambda b: talib.STDDEV(b["return"], 10) / talib.STDDEV(b["return"], 50) - 1,
    ),
    "average_range_14": (
        lambda b: _range_of_series(b).rolling(14).mean() / b["close"],
        lambda b: talib.SMA(talib.TRANGE(b["high"], b["low"], b["close"]), 14) / b["close"],
    ),
    "bollinger_position_20": (
        lambda b: _pandas_z(b["close"], 20) / 2,
        lambda b: _talib_z(b["close"], 20) / 2,
    ),
    "downside_volatility_30": (
        lambda b: np.sqrt((b["return"].clip(upper=0) ** 2).rolling(30).mean().clip(lower=0)),
        lambda b: np.sqrt(np.maximum(talib.SMA(np.minimum(b["return"], 0) ** 2, 30), 0)),
    ),
    "volume_zscore_30": (
        lambda b: _pandas_z(_log1p(b["volume"]), 30),
        lambda b: _talib_z(np.log1p(b["volume"]), 30),
    ),
    "volume_balance_20": (
        lambda b: (
            (np.sign(b["close"] - b["open"]) * b["volume"]).rolling(20).sum() / b["volume"].rolling(20).sum()
        ),
        lambda b: talib.SUM(np.sign(b["close"] - b["open"]) * b["volume"], 20) / talib.SUM(b["volume"], 20),
    ),
    "price_volume_correlation_30": (
        lambda b: b["close"].rolling(30).corr(_log1p(b["volume"])),
        lambda b: talib.CORREL(b["close"], np.log1p(b["volume"]), 30),
    ),
}
"""By our name: the same with pandas, and with TA-Lib."""


def measure(results: Results, panel: pd.DataFrame, *, rounds: int, tick: Callable[[str], None]) -> None:
    """Measure all three, and assert that they agree on every warm bar."""
    frame = panel.droplevel(0)
    kept: dict[str, dict[str, Floats]] = {}

    def ours() -> None:
        found = compute(panel, list(WAYS))
        kept["quantbus"] = {name: found[name].to_numpy() for name in WAYS}

    def with_pandas() -> None:
        kept["pandas"] = _by_pandas(frame, list(WAYS))

    def with_talib() -> None:
        kept["TA-Lib"] = _by_talib(frame, list(WAYS))

    ways = {"quantbus": ours, "pandas": with_pandas, "TA-Lib": with_talib}
    with np.errstate(all="ignore"):
        side_by_side(results, ways, rounds, tick, ours="quantbus")
        for peer, again in (("pandas", _by_pandas), ("TA-Lib", _by_talib)):
            tick(f"comparing with {peer}")
            agreement = Agreement(peer, tolerance=1e-6)
            for factor in select(list(WAYS)):
                _compare(agreement, factor, kept["quantbus"], kept[peer], frame, again)
            results.notes.append(str(agreement))


def _compare(
    agreement: Agreement,
    factor: Factor,
    ours: dict[str, Floats],
    theirs: dict[str, Floats],
    frame: pd.DataFrame,
    again: Callable[[pd.DataFrame, list[str]], dict[str, Floats]],
) -> None:
    name, lookback = factor.name, factor.lookback_bars
    warm = np.arange(len(frame)) >= lookback - 1
    told = warm & np.isfinite(theirs[name])
    agreement.without += int((warm & ~told).sum())

    def alone(row: int) -> float:
        return float(again(frame.iloc[row - lookback + 1 : row + 1], [name])[name][-1])

    agreement.compare(name, ours[name], theirs[name], told, alone=alone)


def _by_pandas(frame: pd.DataFrame, names: list[str]) -> dict[str, Floats]:
    series: Frame = {str(name): frame[name] for name in frame}
    series["log"] = pd.Series(np.log(frame["close"]), index=frame.index)
    series["return"] = series["log"].diff()
    return {name: np.asarray(WAYS[name][0](series), np.float64) for name in names}


def _by_talib(frame: pd.DataFrame, names: list[str]) -> dict[str, Floats]:
    arrays: Arrays = {str(name): frame[name].to_numpy(np.float64) for name in frame}
    arrays["log"] = np.log(arrays["close"])
    arrays["return"] = talib.MOM(arrays["log"], 1)
    return {name: WAYS[name][1](arrays) for name in names}
