import math

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_research.factors import catalogue, compute, lookback_bars, select
from tests.unit.research.panels import make_panel, make_series, panel_of


def test_every_factor_says_what_it_is() -> None:
    known = catalogue()
    assert len(known) >= 8
    for name, factor in known.items():
        assert factor.name == name
        assert factor.formula
        assert factor.unit
        assert factor.lookback_bars >= 1
    assert len({factor.signature for factor in known.values()}) == len(known)


def test_a_signature_follows_the_formula_and_nothing_else() -> None:
    # A changed number here means stored models of this factor no longer fit: that must be on purpose.
    assert catalogue()["log_return_1"].signature == "3df61d9b3357873a"


def test_a_misspelt_factor_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean 'rsi_14'"):
        select(["rsi14"])


def test_the_look_back_of_several_factors_is_the_longest() -> None:
    assert lookback_bars(["log_return_1", "ema_distance_20"]) == 60


def test_an_unsorted_panel_is_refused() -> None:
    with pytest.raises(ContractError, match="oldest first"):
        compute(make_panel(50).iloc[::-1], ["log_return_1"])


def test_a_panel_with_a_bar_twice_is_refused() -> None:
    series = make_series(50)
    with pytest.raises(ContractError, match="once each"):
        compute(panel_of(BTC=pd.concat([series, series.iloc[-1:]])), ["log_return_1"])


def test_a_panel_without_volume_is_refused() -> None:
    with pytest.raises(ContractError, match="volume"):
        compute(make_panel(50).drop(columns="volume"), ["log_return_1"])


def test_an_empty_panel_gives_an_empty_answer() -> None:
    assert compute(make_panel(50).iloc[:0], ["rsi_14"]).shape == (0, 1)


def test_values_are_those_of_the_textbook() -> None:
    series = make_series(120, seed=5)
    found = compute(panel_of(BTC=series), list(catalogue())).droplevel(0).iloc[-1]
    close, change = series["close"], series["close"].diff()
    returns = np.log(close).diff()
    top, bottom = series["high"].tail(30).max(), series["low"].tail(30).min()
    logged = series["volume"].add(1.0).map(math.log).tail(30)
    signed = series["volume"].where(close > series["open"], -series["volume"])
    spans = (series["high"] / series["low"]).map(math.log).tail(20) ** 2
    weights = (1 - 2 / 21) ** np.arange(60)
    expected = {
        "log_return_5": np.log(close.iloc[-1] / close.iloc[-6]),
        "rsi_14": 2 * change.clip(lower=0).tail(14).sum() / change.abs().tail(14).sum() - 1,
        "channel_position_30": 2 * (close.iloc[-1] - bottom) / (top - bottom) - 1,
        "efficiency_20": (close.iloc[-1] - close.iloc[-21]) / change.abs().tail(20).sum(),
        "ema_distance_20": close.iloc[-1] / np.average(close.tail(60)[::-1], weights=weights) - 1,
        "realised_volatility_20": returns.tail(20).std(ddof=0),
        "parkinson_volatility_20": np.sqrt(spans.mean() / (4 * np.log(2))),
        "volatility_ratio_10_50": returns.tail(10).std(ddof=0) / returns.tail(50).std(ddof=0) - 1,
        "volume_zscore_30": (logged.iloc[-1] - logged.mean()) / logged.std(ddof=0),
        "volume_balance_20": signed.tail(20).sum() / series["volume"].tail(20).sum(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name
