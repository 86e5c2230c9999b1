"""The laws of factors, over the whole catalogue; and planted faults that each law must catch."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quantbus_research.factors import Bars, Factor, Floats, catalogue, compute_factors
from tests.unit.research.panels import BTC, flat_series, make_panel, make_series, panel_of

BARS = 200
FACTORS = list(catalogue().values())
every_factor = pytest.mark.parametrize("factor", FACTORS, ids=lambda factor: factor.name)


def values(panel: pd.DataFrame, factor: Factor) -> pd.Series:
    return compute_factors(panel, [factor])[factor.name]


def law_truncation(factor: Factor) -> None:
    """Bars that do not exist yet change nothing."""
    panel = make_panel(BARS)
    whole = values(panel, factor)
    times = panel.index.get_level_values(1)
    for last in (factor.lookback_bars - 1, factor.lookback_bars + 7, BARS - 2):
        seen = panel[times <= times.unique()[last]]
        pd.testing.assert_series_equal(values(seen, factor), whole.loc[seen.index], check_exact=True)


def law_other_future(factor: Factor) -> None:
    """Bars that come out differently change nothing before them."""
    panel = make_panel(BARS)
    times = panel.index.get_level_values(1)
    cut = times.unique()[BARS // 2]
    other = panel.copy()
    future = times > cut
    other.loc[future, ["open", "high", "low", "close"]] *= 3.0
    other.loc[future, "volume"] += 1_000.0
    past = panel.index[~future]
    pd.testing.assert_series_equal(
        values(other, factor).loc[past], values(panel, factor).loc[past], check_exact=True
    )


def law_shorter_history(factor: Factor) -> None:
    """A series that begins later gives the same bits once it is as long as the look-back says."""
    panel = make_panel(BARS)
    times = panel.index.get_level_values(1)
    late = panel[times >= times.unique()[37]]
    found = values(late, factor).dropna()
    assert len(found) == 2 * (BARS - 37 - factor.lookback_bars + 1)
    pd.testing.assert_series_equal(found, values(panel, factor).loc[found.index], check_exact=True)


def law_warm_up(factor: Factor) -> None:
    """NaN exactly while it warms up, finite ever after, on any series that is a valid one."""
    silent, gappy = flat_series(BARS), make_series(BARS).drop(make_series(BARS).index[60:75])
    for series in (make_series(BARS), silent, flat_series(BARS, volume=2.0), gappy):
        found = values(panel_of(BTC=series), factor).to_numpy()
        assert np.isnan(found[: factor.lookback_bars - 1]).all()
        assert np.isfinite(found[factor.lookback_bars - 1 :]).all()


def law_one_or_many(factor: Factor) -> None:
    """Other symbols, and their order, change nothing; the index is kept."""
    panel = make_panel(BARS)
    turned = pd.concat([part for _, part in reversed(list(panel.groupby(level=0)))])
    whole = values(panel, factor)
    assert whole.index.equals(panel.index)
    assert values(turned, factor).index.equals(turned.index)
    pd.testing.assert_series_equal(values(turned, factor).loc[panel.index], whole, check_exact=True)
    alone = panel.loc[[BTC]]
    pd.testing.assert_series_equal(values(alone, factor), whole.loc[[BTC]], check_exact=True)


LAWS: tuple[Callable[[Factor], None], ...] = (
    law_truncation,
    law_other_future,
    law_shorter_history,
    law_warm_up,
    law_one_or_many,
)


@every_factor
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_factor_keeps_the_law(factor: Factor, law: Callable[[Factor], None]) -> None:
    law(factor)


def planted(function: Callable[[Bars], Floats], lookback_bars: int = 1) -> Factor:
    return Factor(
        name="planted",
        formula="a fault",
        inputs=("open", "close"),
        lookback_bars=lookback_bars,
        unit="none",
        function=function,
    )


def next_close(bars: Bars) -> Floats:
    return np.append(bars["close"][1:], bars["close"][-1])


def centred_mean(bars: Bars) -> Floats:
    return pd.Series(bars["close"]).rolling(5, center=True, min_periods=1).mean().to_numpy()


def whole_sample_score(bars: Bars) -> Floats:
    close = bars["close"]
    return np.asarray((close - close.mean()) / (close.std() + 1.0))


def running_sum(bars: Bars) -> Floats:
    return np.cumsum(bars["close"])


@pytest.mark.parametrize("fault", [next_close, centred_mean, whole_sample_score])
@pytest.mark.parametrize("law", [law_truncation, law_other_future])
def test_a_planted_look_into_the_future_is_caught(
    fault: Callable[[Bars], Floats], law: Callable[[Factor], None]
) -> None:
    with pytest.raises(AssertionError):
        law(planted(fault))


def test_a_factor_that_depends_on_where_the_series_begins_is_caught() -> None:
    with pytest.raises(AssertionError):
        law_shorter_history(planted(running_sum))


@pytest.mark.parametrize("declared", [15, 17])
def test_a_wrongly_declared_look_back_is_caught(declared: int) -> None:
    honest = catalogue()["log_return_15"]
    law_warm_up(honest)
    with pytest.raises(AssertionError):
        law_warm_up(replace(honest, lookback_bars=declared))


def test_a_division_by_nothing_is_caught() -> None:
    with pytest.raises(AssertionError):
        law_warm_up(planted(lambda bars: np.full(len(bars["close"]), np.inf)))
