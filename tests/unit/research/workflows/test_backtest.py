"""Signals and positions to a report, with what should be said of them."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import make_signal
from quantbus_research.backtests import as_if_published
from quantbus_research.costs import CostModel
from quantbus_research.workflows import Outcome, Terms, backtest_positions, backtest_signals, keep_backtest
from tests.unit.research.panels import BTC, ETH, MINUTE, START, make_panel

BARS = 60
PANEL = make_panel(BARS)
TERMS = Terms(costs=CostModel(fee_rate=0.001))


def said(
    *rows: tuple[int, Literal["enter_long", "exit_long"]],
    pair: str = "BTC/USDT",
    origin: Literal["live", "backfill"] = "live",
    late: timedelta = timedelta(seconds=1),
) -> list[PublishedSignal]:
    """Return signals by the number of their bar, each published ``late`` after its close."""
    symbol = {"BTC/USDT": BTC, "ETH/USDT": ETH}[pair]
    made = [
        make_signal(
            symbol=symbol,
            pair=pair,
            timeframe="1m",
            ts=START + bar * MINUTE.delta,
            action=action,
            weight=None,
            score=None,
            origin=origin,
            valid_until=None,
        )
        for bar, action in rows
    ]
    return as_if_published(made, delay=late)


def outcome_of(
    signals: list[PublishedSignal], terms: Terms = TERMS, after: timedelta | None = None
) -> Outcome:
    return backtest_signals(signals, PANEL, MINUTE, terms, title="Test", published_after=after)


def test_signals_trade_at_the_open_after_they_were_there_and_every_figure_is_after_costs() -> None:
    found = outcome_of(said((10, "enter_long"), (20, "exit_long")))
    (trade,) = found.backtest.trades.to_dict("records")
    # a second after bar 10 closed, bar 11 was open already: bar 12 is the next open
    assert (trade["opened_at"], trade["closed_at"]) == tuple(
        pd.Timestamp(START + bar * MINUTE.delta) for bar in (12, 22)
    )
    bars = PANEL.loc[BTC]["open"]
    assert trade["profit_ratio"] == pytest.approx((bars.iloc[22] * 0.999) / (bars.iloc[12] * 1.001) - 1)
    assert found.remarks == ("2 signals (2 live) led to 1 positions",)
    assert (
        found.report.summary.at_other_costs["no costs"].total_return
        > found.report.summary.result.total_return
    )


def test_what_was_published_afterwards_trades_only_where_that_is_asked_for() -> None:
    afterwards = said((10, "enter_long"), (20, "exit_long"), origin="backfill", late=timedelta(days=9))
    as_it_was = outcome_of(afterwards)
    assert len(as_it_was.backtest.trades) == 0
    assert "never trades, and --published-after asks" in as_it_was.remarks[0]
    assert as_it_was.report.summary.verdict == "It made no trade, so there is nothing to judge."
    hindsight = outcome_of(afterwards, after=timedelta(0))
    assert hindsight.backtest.trades["opened_at"].tolist() == [pd.Timestamp(START + 11 * MINUTE.delta)]
    assert "each taken as if published 0 s after its bar's close" in hindsight.remarks[0]


def test_one_balance_is_divided_by_the_pairs_unless_a_stake_is_named() -> None:
    both = said((10, "enter_long")) + said((10, "enter_long"), pair="ETH/USDT")
    shared = outcome_of(both, Terms(costs=CostModel(), is_shared=True))
    assert shared.backtest.orders["value"].tolist() == pytest.approx([5_000.0, 5_000.0])
    small = outcome_of(both, Terms(costs=CostModel(), is_shared=True, stake=0.1))
    assert small.backtest.orders["value"].tolist() == pytest.approx([1_000.0, 1_000.0])
    with pytest.raises(ContractError, match="amount to at most 1"):
        outcome_of(both, Terms(costs=CostModel(), is_shared=True, stake=0.9))


def test_funding_is_charged_and_a_pair_without_bars_is_named() -> None:
    paid = pd.Series(
        [0.01], index=pd.MultiIndex.from_tuples([(BTC, pd.Timestamp(START + 15 * MINUTE.delta))])
    )
    signals = said((10, "enter_long"), (20, "exit_long"))
    terms = Terms(costs=CostModel(), funding=paid)
    charged, free = outcome_of(signals, terms), outcome_of(signals, Terms(costs=CostModel()))
    held = float(free.backtest.orders["units"].iloc[0] * PANEL.loc[BTC]["open"].iloc[15])
    assert charged.report.summary.result.funding == pytest.approx(0.01 * held)
    assert charged.remarks[1:] == ("1 funding payments are charged",)
    unknown = outcome_of(signals, Terms(costs=CostModel(), funding=paid.iloc[:0]))
    assert unknown.remarks[1:] == ("no funding is known, so none is charged",)
    only_btc = PANEL.loc[[BTC]]
    both = signals + said((10, "enter_long"), pair="ETH/USDT")
    found = backtest_signals(both, only_btc, MINUTE, TERMS, title="Test")
    assert found.remarks[1:] == ("left out, for there are no bars of them: ETH/USDT",)


def test_positions_need_one_value_for_each_bar_and_are_kept_as_three_files(tmp_path: Path) -> None:
    position = pd.Series([float(20 <= bar < 30) for bar in range(BARS)] * 2, index=PANEL.index)
    found = backtest_positions(position, PANEL, MINUTE, TERMS, title="Test")
    assert found.backtest.trades["opened_at"].tolist() == [pd.Timestamp(START + 21 * MINUTE.delta)] * 2
    assert found.remarks == ("120 positions, 16.7% of them in the market",)
    page, figures, trades = keep_backtest(found, tmp_path / "out")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert '"trades": 2' in figures.read_text(encoding="utf-8")
    assert len(pd.read_csv(trades)) == 2
    with pytest.raises(ContractError, match="expected one value for each of 120 candles"):
        backtest_positions(position.iloc[1:], PANEL, MINUTE, TERMS, title="Test")
    with pytest.raises(ConfigError, match="without --shared and --stake"):
        backtest_positions(position, PANEL, MINUTE, Terms(costs=CostModel(), is_shared=True), title="Test")
