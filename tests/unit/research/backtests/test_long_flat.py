import math
import sys

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_research.backtests import Account, buy_and_hold, simulate, simulate_long_flat
from quantbus_research.costs import CostModel
from tests.unit.research.panels import BTC, ETH, MINUTE, START, make_panel, make_series

OPENS, CLOSES = [100.0, 110.0, 120.0, 130.0, 90.0], [105.0, 115.0, 125.0, 95.0, 80.0]


def five() -> pd.DataFrame:
    index = pd.date_range(START, periods=5, freq=MINUTE.delta, name="datetime")
    return pd.DataFrame(
        {"open": OPENS, "high": 140.0, "low": 70.0, "close": CLOSES, "volume": 1_000.0}, index=index
    )


def position(*values: float) -> pd.Series:
    return pd.Series(values, index=five().index)


def test_a_decision_at_the_close_trades_at_the_next_open() -> None:
    result = simulate_long_flat(five(), position(0, 1, 1, 0, 0), timeframe=MINUTE, capital=1_200.0)
    assert result.equity.tolist() == pytest.approx([1_200, 1_200, 1_250, 950, 900])
    assert result.orders["units"].tolist() == [10, -10]
    assert result.orders["price"].tolist() == [120, 90]


def test_the_last_decision_has_no_bar_to_trade_on() -> None:
    result = simulate_long_flat(five(), position(0, 0, 0, 0, 1), timeframe=MINUTE)
    assert result.orders.empty


def test_fees_and_spread_are_paid_both_ways() -> None:
    terms = CostModel(fee_rate=0.01, spread_rate=0.02)
    result = simulate_long_flat(five(), position(1, 0, 0, 0, 0), timeframe=MINUTE, costs=terms)
    units = 10_000 / (110 * 1.01 * 1.01)
    assert result.orders["units"].iloc[0] == pytest.approx(units)
    assert result.equity.iloc[-1] == pytest.approx(units * 120 * 0.99 * 0.99)
    assert result.orders["fee"].sum() == pytest.approx(units * (110 * 1.01 + 120 * 0.99) * 0.01)
    assert result.orders["slippage"].sum() == pytest.approx(units * (110 + 120) * 0.01)


def test_buying_and_holding_is_what_no_position_means() -> None:
    panel = make_panel(50)
    held = simulate_long_flat(panel, timeframe=MINUTE)
    assert (held.equity == buy_and_hold(panel, timeframe=MINUTE).equity).all()
    assert held.orders["time"].unique().tolist() == [pd.Timestamp(START) + MINUTE.delta]
    bars = panel.loc[BTC]
    gained = held.profits[BTC].iloc[-1] / 5_000
    assert gained == pytest.approx(bars["close"].iloc[-1] / bars["open"].iloc[1] - 1)


def test_a_position_is_matched_by_its_labels() -> None:
    panel = make_panel(60)
    wanted = pd.Series(np.random.default_rng(1).integers(0, 2, len(panel)), index=panel.index)
    plain = simulate_long_flat(panel, wanted, timeframe=MINUTE)
    mixed = simulate_long_flat(panel, wanted.sample(frac=1, random_state=1), timeframe=MINUTE)
    assert (plain.equity == mixed.equity).all()
    assert not plain.orders.empty


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (position(0, 1, 1, 0, 0).iloc[1:], "one value for each of 5"),
        (position(0, 1, 0.5, 0, 0), "0 or 1, found 0.5"),
        (position(0, 1, math.nan, 0, 0), "0 or 1"),
        (position(0, 1, 1, 0, 0).shift(freq="1min"), "by the same labels"),
    ],
)
def test_a_position_that_does_not_fit_the_candles_is_refused(wanted: pd.Series, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        simulate_long_flat(five(), wanted, timeframe=MINUTE)


def test_a_missing_bar_delays_an_order_to_the_next_that_is_there() -> None:
    panel = pd.concat({BTC: five(), ETH: five().drop(five().index[2])}, names=["symbol", "datetime"])
    wanted = pd.DataFrame({BTC: position(0, 1, 1, 1, 1), ETH: position(0, 1, 1, 1, 1)})
    result = simulate(panel, wanted, timeframe=MINUTE)
    assert result.orders.set_index("symbol")["price"].to_dict() == {BTC: 120.0, ETH: 130.0}


def test_a_short_position_gains_from_a_fall_and_pays_its_costs() -> None:
    panel = pd.concat({BTC: five()}, names=["symbol", "datetime"])
    wanted = pd.DataFrame({BTC: position(0, 0, -1, 0, 0)})
    result = simulate(
        panel, wanted, timeframe=MINUTE, costs=CostModel(fee_rate=0.001), account=Account(capital=1_300)
    )
    assert result.equity.iloc[-1] == pytest.approx(1_300 + 10 * (130 - 90) - 1.3 - 0.9)
    trade = result.trades.iloc[0]
    assert (trade["side"], trade["entry_price"], trade["exit_price"]) == ("short", 130, 90)
    assert trade["profit_ratio"] == pytest.approx((400 - 2.2) / (1_300 - 1.3))


def test_funding_is_paid_by_longs_on_what_was_held_until_the_open() -> None:
    panel = pd.concat({BTC: five()}, names=["symbol", "datetime"])
    wanted = pd.DataFrame({BTC: position(0, 1, 1, 0, 0)})  # bought at bar 2, sold at bar 4
    funding = pd.Series([0.1, 0.1, 0.1, 0.01, 0.02], index=panel.index)
    result = simulate(panel, wanted, timeframe=MINUTE, funding=funding, account=Account(capital=1_200))
    assert result.funding_paid[0].tolist() == pytest.approx([0, 0, 0, 13.0, 18.0])
    assert result.equity.iloc[-1] == pytest.approx(900 - 31)
    assert result.trades["profit"].sum() == pytest.approx(-331)


def test_a_delay_waits_whole_bars_and_goes_along_the_bar_for_the_rest() -> None:
    wanted = position(1, 1, 1, 1, 1)
    late = simulate_long_flat(five(), wanted, timeframe=MINUTE, costs=CostModel(delay_bars=1.5))
    assert late.orders["price"].tolist() == [122.5]


def test_impact_goes_by_the_value_traded_in_the_bar_before() -> None:
    terms = CostModel(impact_alpha=0.1, impact_beta=1.0)
    result = simulate_long_flat(five(), position(1, 1, 1, 1, 1), timeframe=MINUTE, costs=terms)
    assert result.orders["price"].iloc[0] == pytest.approx(110 * (1 + 0.1 * 10_000 / 105_000))


def test_an_entry_a_little_below_the_least_order_is_raised_and_a_smaller_one_dropped() -> None:
    panel = pd.concat({BTC: five()}, names=["symbol", "datetime"])
    wanted = pd.DataFrame({BTC: position(0, 0.1, 0.1, 0, 0)})
    raised, dropped = (
        simulate(panel, wanted, timeframe=MINUTE, costs=CostModel(minimum_order=least))
        for least in (1_200, 1_400)
    )
    assert raised.orders["value"].iloc[0] == pytest.approx(1_200)
    assert raised.dropped_entries == 0
    assert dropped.orders.empty
    assert dropped.dropped_entries == 1


def test_a_position_within_the_band_is_not_resized() -> None:
    panel = pd.concat({BTC: five()}, names=["symbol", "datetime"])
    wanted = pd.DataFrame({BTC: position(0.5, 0.5, 0.5, 0.5, 0.5)})
    orders = {
        band: len(simulate(panel, wanted, timeframe=MINUTE, account=Account(drift_band=band)).orders)
        for band in (None, 0.0, 0.05)
    }
    assert orders == {None: 1, 0.0: 4, 0.05: 2}


def test_prices_that_are_none_are_refused_with_their_place() -> None:
    broken = five().assign(open=[100, math.nan, 120, 130, 90])
    with pytest.raises(ContractError, match=r"open prices above zero, found nan at market 2026-01-05T00:01"):
        simulate_long_flat(broken, timeframe=MINUTE)


def test_targets_out_of_range_or_of_unknown_labels_are_refused() -> None:
    panel = pd.concat({BTC: five()}, names=["symbol", "datetime"])
    for wanted, said in (
        (pd.DataFrame({BTC: position(2, 0, 0, 0, 0)}), "from -1 to 1"),
        (pd.DataFrame({ETH: position(1, 0, 0, 0, 0)}), "none of them"),
        (pd.DataFrame({BTC: position(1, 0, 0, 0, 0)}).shift(freq="1D"), "none of them"),
    ):
        with pytest.raises(ContractError, match=said):
            simulate(panel, wanted, timeframe=MINUTE)
    two = pd.concat({BTC: five(), ETH: five()}, names=["symbol", "datetime"])
    both = pd.Series(0.7, index=two.index)
    with pytest.raises(ContractError, match=r"at most 1, found 1\.4"):
        simulate(two, both, timeframe=MINUTE, account=Account(shared=True))


def test_a_missing_compiler_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ConfigError, match=r"install quantbus-research\[backtest\]"):
        simulate_long_flat(five(), timeframe=MINUTE)


def test_a_ruined_account_enters_nothing_any_more() -> None:
    wild = make_series(6).assign(open=[1, 1, 3.0, 3, 3, 3], close=[1, 1, 3.0, 3, 3, 3])
    panel = pd.concat({BTC: wild}, names=["symbol", "datetime"])
    wanted = pd.DataFrame({BTC: pd.Series([-1.0, -1, 1, 1, -1, 1], index=wild.index)})
    for shared in (False, True):
        result = simulate(panel, wanted, timeframe=MINUTE, account=Account(shared=shared))
        assert result.equity.iloc[-1] == pytest.approx(-10_000)
        assert len(result.orders) == 2
