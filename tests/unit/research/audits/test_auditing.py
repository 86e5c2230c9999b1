"""What an audit says of values whose worth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_research.audits import Audit, AuditSettings, Screen, audit_factors, audit_values, remarks
from quantbus_research.costs import FREE, CostModel
from quantbus_research.evaluation import rank_correlation
from quantbus_research.factors import factor_set
from quantbus_research.labels import forward_return
from tests.unit.research.audits.worlds import HOUR, SHORT, coins, later_return, noise, skilled


def audited(panel: pd.DataFrame, asked: AuditSettings = SHORT, **values: pd.Series) -> Audit:
    return audit_values(pd.DataFrame(values), panel, HOUR, asked)


def test_a_factor_equal_to_the_later_return_has_rank_ic_one_and_is_called_too_good() -> None:
    panel = coins()
    found = audited(panel, oracle=later_return(panel))
    first = found.factors[0].first
    assert first.rank_ic == pytest.approx(1.0, abs=1e-12)
    assert first.positive == 1.0
    assert first.t == np.inf
    assert first.direction == 1
    assert list(first.quantile_returns) == sorted(first.quantile_returns)
    assert audited(panel, contrary=-later_return(panel)).factors[0].first.rank_ic == pytest.approx(-1.0)
    assert any("look for a leak first: oracle" in said for said in remarks(found))


def test_a_constant_has_no_ic_no_portfolio_and_is_refused_for_it() -> None:
    panel = coins()
    item = audited(panel, flat=pd.Series(3.0, index=panel.index)).factors[0]
    assert item.coverage == 1.0
    assert item.varying == 0.0
    assert np.isnan([item.first.rank_ic, item.first.t, *item.first.quantile_returns]).all()
    assert item.first.turnover == 0.0
    assert item.refusal is not None
    assert item.refusal.step == "variance"


def test_each_bars_rank_ic_is_spearmans_over_the_symbols_that_have_both() -> None:
    panel = coins(240)
    values = skilled(panel, 3).round(1)  # ties
    values[noise(panel, 4) > 1.0] = np.nan
    values[noise(panel, 5) > 2.5] = np.inf
    moved = later_return(panel, 4)
    expected = []
    both = pd.DataFrame({"value": values, "moved": moved}).replace(np.inf, np.nan).dropna()
    for _, bar in both.groupby(level=1):
        if len(bar) >= 5:
            expected.append(rank_correlation(bar["value"].to_numpy(), bar["moved"].to_numpy()))
    figures = audited(panel, replace(SHORT, horizons=(4,)), some=values).factors[0].first
    assert figures.bars == len(expected)
    assert figures.rank_ic == pytest.approx(np.mean(expected), abs=1e-12)
    assert figures.icir == pytest.approx(np.mean(expected) / np.std(expected, ddof=1), abs=1e-12)


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(list(range(7))))
def test_the_order_of_the_symbols_changes_nothing(order: list[int]) -> None:
    panel = coins(240)
    values = pd.DataFrame({"good": skilled(panel, 1), "idle": noise(panel, 2)})
    names = panel.index.get_level_values(0).unique()
    turned = pd.concat([panel.loc[[names[number]]] for number in order])
    one = audit_values(values, panel, HOUR, SHORT)
    other = audit_values(values.reindex(turned.index), turned, HOUR, SHORT)
    assert repr(one.factors) == repr(other.factors)
    pd.testing.assert_frame_equal(one.correlations, other.correlations, check_exact=True)


@settings(max_examples=8, deadline=None)
@given(scale=st.floats(0.1, 10.0), shift=st.floats(-5.0, 5.0))
def test_any_rising_function_of_a_factor_is_worth_the_same(scale: float, shift: float) -> None:
    panel = coins(240)
    values = skilled(panel, 1).round(3)
    one = audited(panel, f=values).factors[0]
    other = audited(panel, f=np.sinh(scale * values / 4) + shift).factors[0]
    assert repr(one.horizons) == repr(other.horizons)


def test_turning_a_factor_round_turns_its_ic_and_keeps_what_it_earns() -> None:
    panel = coins()
    values = skilled(panel, 1)
    one, other = (audited(panel, f=sign * values).factors[0].first for sign in (1, -1))
    assert other.rank_ic == pytest.approx(-one.rank_ic)
    assert (one.direction, other.direction) == (1, -1)
    assert other.after_costs == pytest.approx(one.after_costs)
    assert other.quantile_returns == pytest.approx(one.quantile_returns[::-1])


def test_long_short_returns_and_costs_are_those_of_a_book_kept_by_hand() -> None:
    panel = coins(240)
    values, fee, horizon = skilled(panel, 1), 0.001, 2
    asked = replace(SHORT, horizons=(horizon,), costs=CostModel(fee_rate=fee))
    first = audited(panel, asked, f=values).factors[0].first
    grid, moved = values.unstack(0), later_return(panel).unstack(0)
    ranks = grid.rank(axis=1)
    placed = ((ranks - 0.5) / 7 * 5).astype(int)
    top, bottom = placed == 4, placed == 0
    weights = 0.5 * top.div(top.sum(axis=1), axis=0) - 0.5 * bottom.div(bottom.sum(axis=1), axis=0)
    held = (weights + weights.shift(1).fillna(0.0)) / 2
    gained = (held * moved.fillna(0.0)).sum(axis=1)
    traded = (held - held.shift(1).fillna(0.0)).abs().sum(axis=1)
    later = slice(120, None)
    assert first.turnover == pytest.approx(traded.mean() / 2)
    assert first.before_costs == pytest.approx(gained.iloc[later].mean() * 8_760)
    assert first.after_costs == pytest.approx((gained - fee * traded).iloc[later].mean() * 8_760)
    assert first.break_even_rate == pytest.approx(gained.iloc[later].sum() / traded.iloc[later].sum())


def test_costs_never_help_and_free_trading_costs_nothing() -> None:
    panel = coins()
    values = skilled(panel, 1)
    free, dear = (
        audited(panel, replace(SHORT, costs=costs), f=values).factors[0].first
        for costs in (FREE, CostModel(fee_rate=0.002))
    )
    assert free.after_costs == free.before_costs == dear.before_costs
    assert dear.after_costs < free.after_costs


def test_the_second_half_does_not_choose_its_own_direction() -> None:
    panel = coins(480)
    moved = later_return(panel)
    late = panel.index.get_level_values(1) >= panel.index.get_level_values(1).unique()[240]
    first = audited(panel, turning=moved.where(~late, -moved)).factors[0].first
    assert first.first_half == pytest.approx(1.0)
    assert first.second_half == pytest.approx(-1.0)
    assert first.direction == 1
    assert first.before_costs < 0


def test_stability_tells_the_worst_window_and_needs_whole_ones() -> None:
    panel = coins(24 * 20)
    moved = later_return(panel)
    times = panel.index.get_level_values(1)
    bad = (times >= times[24 * 8]) & (times < times[24 * 13])
    values = moved.where(~bad, -moved)
    windows = audited(panel, f=values).factors[0].first.stability
    assert [window.days for window in windows] == [5, 10]
    assert windows[0].worst == pytest.approx(-1.0)
    assert windows[0].median <= windows[0].high == pytest.approx(1.0)
    assert 0 < windows[0].same_sign < 1
    long = audited(panel, replace(SHORT, windows=(30,)), f=values).factors[0]
    assert long.first.stability[0].windows == 0
    assert long.refusal is not None
    assert "no whole window of 30 days" in long.refusal.reason


def test_what_comes_after_the_last_bar_that_is_seen_changes_no_rank_ic_before_it() -> None:
    panel = coins(400)
    cut = panel.index.get_level_values(1).unique()[300]
    spoilt = panel.copy()
    spoilt.loc[spoilt.index.get_level_values(1) > cut, ["open", "close"]] *= 3.0
    one, other = (audit_factors(each, ["rsi_14"], HOUR, SHORT).rank_ic for each in (panel, spoilt))
    before = one.index < cut.floor("D") - pd.Timedelta(days=1)
    pd.testing.assert_frame_equal(one[before], other[before], check_exact=True)


def test_bars_before_the_first_judged_one_only_warm_factors_up() -> None:
    panel = coins(400)
    since = panel.index.get_level_values(1).unique()[200]
    done: list[str] = []
    warmed = audit_factors(panel, ["ema_distance_50"], HOUR, SHORT, since=since, seen=done.append)
    assert done == ["ema_distance_50"]
    assert warmed.first_bar == since
    assert warmed.factors[0].coverage == 1.0
    cold = audit_factors(panel[panel.index.get_level_values(1) >= since], ["ema_distance_50"], HOUR, SHORT)
    assert cold.factors[0].coverage < 1.0


def test_too_few_symbols_bars_or_factors_are_refused_with_their_number() -> None:
    with pytest.raises(ConfigError, match=r"at least 5 symbols.*found 3"):
        audited(coins(240, 3), f=noise(coins(240, 3), 1))
    with pytest.raises(ConfigError, match="at least 16 bars for a horizon of 4, found 10"):
        audited(coins(10), f=noise(coins(10), 1))
    with pytest.raises(ConfigError, match="at least one factor"):
        audit_factors(coins(240), [], HOUR, SHORT)
    panel = coins(240)
    with pytest.raises(ContractError, match="own index"):
        audit_values(pd.DataFrame({"f": noise(panel, 1)}).iloc[::-1], panel, HOUR, SHORT)
    for wrong in ({"horizons": ()}, {"horizons": (0,)}, {"windows": (5, 5)}, {"quantiles": 9}):
        with pytest.raises(ConfigError):
            AuditSettings(**wrong)
    with pytest.raises(ConfigError, match=r"screen\.coverage"):
        Screen(coverage=1.5)


@pytest.mark.proof
def test_recorded_coins_show_a_reversal_that_costs_eat(shared_data: Path) -> None:
    files = sorted((shared_data / "ohlcv" / "1h").glob("OKX_*USDT_1h.parquet"))
    parts = {
        f"OKX:{file.name.split('_')[1]}": pd.read_parquet(file).set_index("ts").rename_axis("datetime")
        for file in files
    }
    panel = pd.concat(parts, names=["symbol"])
    found = audit_factors(panel, factor_set("cta_core"), HOUR)
    figures = {item.name: item for item in found.factors}
    assert len(found.symbols) == 28
    assert len(found.factors) == 16
    reversal = figures["log_return_5"].first
    assert reversal.t < -found.needed_t
    assert reversal.first_half < 0 > reversal.second_half
    assert found.kept
    assert all(item.first.after_costs < 0 for item in found.kept)
    speaker = figures["realised_volatility_20"]
    assert speaker.refusal is not None
    assert (speaker.refusal.step, speaker.representative) == ("cluster", "average_range_14")
    grid = panel["close"].groupby(level=0).pct_change(5).to_frame("value")
    grid["moved"] = forward_return(panel, HOUR, 1, entry="next_open").values
    chosen = grid.dropna().groupby(level=1).filter(lambda bar: len(bar) >= 5)
    sampled = chosen[pd.DatetimeIndex(chosen.index.get_level_values(1)).hour == 7]
    by_hand = sampled.groupby(level=1).corr(method="spearman").xs("value", level=1)["moved"].mean()
    assert by_hand == pytest.approx(reversal.rank_ic, abs=0.03)
