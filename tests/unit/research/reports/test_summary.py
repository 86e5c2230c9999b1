import json
import math
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_research.backtests import (
    Account,
    Backtest,
    at_other_costs,
    buy_and_hold,
    simulate,
    simulate_long_flat,
)
from quantbus_research.costs import FREE, CostModel
from quantbus_research.reports import backtest_report, figures_of, summarise
from tests.unit.research.panels import BTC, ETH, MINUTE, START, make_panel

COSTS = CostModel(fee_rate=0.001, spread_rate=0.0004)


def path(*factors: float) -> pd.DataFrame:
    """Return bars of one market whose price is multiplied bar by bar, each opening at the close before."""
    close = 100.0 * np.cumprod(factors)
    open_ = np.concatenate([[100.0], close[:-1]])
    index = pd.date_range(START, periods=len(factors), freq=MINUTE.delta)
    columns = {"open": open_, "high": open_ * 2, "low": open_ / 2, "close": close, "volume": 1_000.0}
    return pd.DataFrame(columns, index=index)


def judged(
    candles: pd.DataFrame, position: pd.Series, costs: CostModel = COSTS, trials: tuple[float, ...] = ()
) -> str:
    panel = pd.concat({BTC: candles}, names=["symbol", "datetime"])
    targets = pd.DataFrame({BTC: position.astype(float)})
    result = simulate(panel, targets, timeframe=MINUTE, costs=costs)
    others = at_other_costs(panel, targets, timeframe=MINUTE, costs=costs)
    holding = buy_and_hold(candles, timeframe=MINUTE, costs=costs)
    summary = summarise(result, holding=holding, other_costs=others, trial_sharpe_ratios=trials)
    return " ".join([summary.verdict, *summary.doubts])


def flicker(bars: int, *, gain: float) -> tuple[pd.DataFrame, pd.Series]:
    """Return a market that rises in every second bar, and the position that knows it."""
    candles = path(*(1.0 + gain if number % 2 else 1.0 - gain / 2 for number in range(bars)))
    return candles, pd.Series([(number + 1) % 2 for number in range(bars)], index=candles.index)


def some() -> tuple[Backtest, Backtest, dict[str, Backtest]]:
    panel = make_panel(400)
    random = np.random.default_rng(3)
    drawn = pd.Series(
        np.where(random.uniform(size=800) < 0.1, random.integers(0, 2, 800), np.nan), index=panel.index
    )
    position = drawn.groupby(level=0).ffill().fillna(0.0)
    result = simulate_long_flat(panel, position, timeframe=MINUTE, costs=COSTS)
    return (
        result,
        buy_and_hold(panel, timeframe=MINUTE, costs=COSTS),
        at_other_costs(panel, position, timeframe=MINUTE, costs=COSTS),
    )


def test_an_edge_that_its_costs_eat_is_called_that() -> None:
    said = judged(*flicker(300, gain=0.001))
    assert said.startswith("The edge does not survive its costs: +")
    assert "before them, -" in said


def test_a_gain_beyond_luck_is_granted_and_a_small_one_is_not() -> None:
    assert "luck is an unlikely reason" in judged(*flicker(300, gain=0.01))
    candles, position = path(1.0, 1.0, 1.2, 0.9, 1.1), pd.Series(1.0, index=path(1, 1, 1, 1, 1).index)
    assert "may be luck: as one variant" in judged(candles, position)


def test_the_same_gain_convinces_less_as_the_best_of_many() -> None:
    candles, position = flicker(300, gain=0.01)
    many = tuple(np.random.default_rng(0).normal(0, 2.0, 500))
    assert "may be luck: as the best of 500 variants" in judged(candles, position, trials=many)


def test_a_loss_before_costs_is_no_edge_and_no_trade_is_nothing_to_judge() -> None:
    candles, position = flicker(100, gain=0.01)
    assert judged(candles, 1 - position).startswith("There is no edge: -")
    assert judged(candles, 0 * position).startswith("It made no trade")


def test_doubts_name_what_flatters_a_result() -> None:
    rising = path(*[1.01] * 20)
    said = judged(rising, pd.Series([0] * 10 + [1] * 10, index=rising.index), FREE)
    for part in ("holding brought", "1 trades are too few", "only variant", "No fee was charged", "exactly"):
        assert part in said


def test_figures_follow_from_the_run() -> None:
    result, holding, _ = some()
    figures = figures_of(result)
    assert figures.total_return == pytest.approx(result.equity.iloc[-1] / 10_000 - 1)
    assert figures.trades == len(result.trades) > 10
    assert figures.fees == pytest.approx(result.fills["fee"].sum())
    assert figures.slippage == pytest.approx(0.0002 * result.orders["value"].sum())
    assert figures_of(holding).time_in_market == pytest.approx(399 / 400)
    assert figures.annual_turnover == pytest.approx(
        result.orders["value"].sum() / result.equity.mean() * 525_600 / 400
    )


def test_months_multiply_and_symbols_add_up_to_the_whole() -> None:
    result, _, _ = some()
    summary = summarise(result)
    assert math.prod(1 + change for change in summary.per_month.values()) - 1 == pytest.approx(
        summary.result.total_return
    )
    gained = sum(row["profit"] for row in summary.per_symbol.values())
    assert gained == pytest.approx(summary.result.total_return * 10_000)
    assert set(summary.per_symbol) == {BTC, ETH}


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_page_stands_alone_and_the_json_is_plain(tmp_path: Path) -> None:
    result, holding, others = some()
    report = backtest_report(result, title="Two <averages>", holding=holding, other_costs=others)
    page, figures = report.save(tmp_path / "out")
    seen = _Addresses()
    seen.feed(page.read_text(encoding="utf-8"))
    assert len(seen.found) == 5
    assert all(address.startswith("data:image/png;base64,") for address in seen.found)
    assert "Two &lt;averages&gt;" in report.html
    assert report.summary.verdict.split(":")[0] in report.html
    told = json.loads(figures.read_text(encoding="utf-8"))
    assert told["at_other_costs"]["as assumed"]["total_return"] == told["result"]["total_return"]
    assert told["at_other_costs"]["all +50 %"]["total_return"] < told["result"]["total_return"]


def test_the_same_run_gives_the_same_page() -> None:
    result, _, _ = some()
    assert backtest_report(result, title="t").html == backtest_report(result, title="t").html


def test_figures_that_do_not_exist_are_null_in_json_and_a_dash_on_the_page() -> None:
    panel = make_panel(20)
    idle = simulate(panel, pd.Series(0.0, index=panel.index), timeframe=MINUTE, account=Account(shared=True))
    report = backtest_report(idle, title="idle")
    assert json.loads(report.json)["result"]["sharpe"] is None
    assert "<td>–</td>" in report.html


def test_entries_that_were_dropped_are_told() -> None:
    result, _, _ = some()
    assert any(
        "below the least order" in doubt for doubt in summarise(replace(result, dropped_entries=3)).doubts
    )
