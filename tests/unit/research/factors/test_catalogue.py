import math
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_research.factors import (
    Vocabulary,
    catalogue,
    compute,
    factor_set,
    factor_sets,
    lookback_bars,
    parameter_domains,
    select,
)
from quantbus_research.factors._declared import read_declaration
from tests.unit.research.panels import make_panel, make_series, panel_of

FAMILIES = (
    "trend",
    "momentum",
    "volatility",
    "volume",
    "microstructure",
    "seasonality",
    "crosssection",
    "derivatives",
)


def test_every_factor_says_what_it_is() -> None:
    known = catalogue()
    own = [factor for factor in known.values() if factor.family != "alpha158"]
    assert len(own) >= 80
    assert len(known) - len(own) == 158
    assert {factor.family for factor in own} == set(FAMILIES)
    for name, factor in known.items():
        assert factor.name == name
        assert factor.formula
        assert factor.unit
        assert factor.inputs
        assert factor.lookback_bars >= 1
    # Some of Alpha158 are ours under another name, and then mean the same.
    assert len({factor.formula for factor in own}) == len(own)
    meanings = {factor.formula: factor.signature for factor in known.values()}
    assert len(set(meanings.values())) == len(meanings)


def test_a_signature_follows_formula_parameters_and_window_and_nothing_else() -> None:
    # A changed number here means stored models of this factor no longer fit: that must be on purpose.
    known = catalogue()
    assert known["log_return_1"].signature == "fe9f366ef56a7ec0"
    assert known["log_return_1"].formula == "(ln(close) - lag(ln(close), 1))"
    renamed = replace(known["log_return_1"], name="other", unit="other")
    assert renamed.signature == known["log_return_1"].signature
    longer = replace(known["log_return_1"], parameters={"bars": 2})
    assert longer.signature != known["log_return_1"].signature


def test_a_look_back_is_what_the_formula_needs() -> None:
    lookbacks = {
        "log_return_5": 6,
        "rsi_14": 15,
        "channel_position_30": 30,
        "macd_histogram_12_26_9": 78 + 26,
    }
    assert {factor.name: factor.lookback_bars for factor in select(list(lookbacks))} == lookbacks


def test_any_factor_in_the_declared_domain_can_be_asked_for() -> None:
    factor, normed = select(["rsi_21", "rsi_21__zscore_100"])
    assert factor.parameters == {"window": 21}
    assert factor.lookback_bars == 22
    assert normed.lookback_bars == 22 + 99
    assert normed.parameters == {"window": 21, "zscore_window": 100}
    assert str(parameter_domains()["rsi"]["window"]) == "2 to 1000"
    assert parameter_domains()["rsi"]["window"].as_schema() == {
        "type": "integer",
        "minimum": 2,
        "maximum": 1000,
    }


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("rsi_1", "window of rsi in 2 to 1000, found 1"),
        ("rsi_14__zscore_2", "window of zscore in 3 to 2000"),
        ("rsi_14_3", "expected rsi with \\(window\\)"),
        ("volatility_ratio_50_10", "short below long"),
        ("rsi_14__nothing_3", "expected one of"),
        ("rsi_014", "expected one of"),
        ("rsi", "did you mean"),
    ],
)
def test_a_factor_outside_its_domain_is_refused(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        select([name])


def test_sets_are_of_factors() -> None:
    assert len(factor_set("alpha158")) == 158
    assert len(factor_set("ml_core")) > 80
    for names in factor_sets().values():
        assert len(select(names)) == len(set(names))
    with pytest.raises(ConfigError, match="cta_core, ml_core"):
        factor_set("nothing")


def test_factors_of_a_set_without_derivatives_need_candles_only() -> None:
    needed = {name for factor in select(factor_set("ml_core")) for name in factor.inputs}
    assert needed == {"open", "high", "low", "close", "volume"}


def test_a_factor_that_reads_what_the_panel_lacks_is_refused() -> None:
    with pytest.raises(ContractError, match="none called funding"):
        compute(make_panel(50), ["funding_rate"])


def test_a_declaration_that_does_not_fit_the_code_is_refused() -> None:
    text = (files("quantbus_research") / "recipes" / "factors.toml").read_text(encoding="utf-8")
    for wrong, told in (
        (text.replace("rsi = {", "rsy = {"), "no rsi, and rsy besides"),
        (
            text.replace("efficiency = { window", "efficiency = { windows"),
            "parameters .*window.* of efficiency",
        ),
        (text.replace("rsi = { window = [2, 1000]", "rsi = { window = [20, 1000]"), "window of rsi in 20"),
        (text.replace('"@trend"', '"@trends"'), "found '@trends'"),
        (text.replace('"rsi_14",', '"rsi_a",'), "found 'rsi_a'"),
        (text + "[", "not TOML"),
        (text.replace("[2, 1000], use = [7, 14, 28] }", "[2, 1000] }"), "'use' in rsi"),
        (text.replace("rsi = { window = [2, 1000]", "rsi = { window = [9, 2]"), "lowest, highest"),
    ):
        with pytest.raises(ConfigError, match=told):
            read_declaration(wrong)


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
    found = compute(panel_of(BTC=series), list(factor_set("ml_core"))).droplevel(0).iloc[-1]
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


def test_every_name_in_the_domains_is_in_the_vocabulary_and_the_catalogue_is_counted() -> None:
    known = Vocabulary()
    assert len(known) == len(list(known)) == len(catalogue())
    assert "rsi_14" in known
    assert "rsi_21" in known
    assert "rsi_21__across_rank" in known
    assert "rsi_99999" not in known
    assert "rsi" not in known
    assert object() not in known
