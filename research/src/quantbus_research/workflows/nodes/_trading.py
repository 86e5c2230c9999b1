"""Targets traded over bars: as assumed, held, and at other costs. Done again wherever it is needed, it is the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import Account, Backtest, Market, at_other_costs, buy_and_hold, simulate
from quantbus_research.costs import CostModel
from quantbus_research.evaluation import bar_returns, bars_per_year, sharpe_ratio
from quantbus_research.settings.nodes import BacktestSettings

__all__ = ["Traded", "traded"]


@dataclass(frozen=True, slots=True)
class Traded:
    """A backtest, and what it is compared with."""

    backtest: Backtest
    holding: Backtest
    other_costs: Mapping[str, Backtest]
    trial_sharpe_ratios: tuple[float, ...]
    """Per bar, its own first; empty where it is the only one that was tried."""


def traded(
    bars: pd.DataFrame, targets: pd.Series, settings: BacktestSettings, timeframe: Timeframe, *, shared: bool
) -> Traded:
    """Trade from the first bar that has a target to the last bar there is."""
    opened = bars.index.get_level_values(1)
    window = bars[opened >= targets.index.get_level_values(1).min()]
    costs = CostModel(
        fee_rate=settings.fee,
        spread_rate=settings.spread,
        impact_alpha=settings.impact,
        delay_bars=settings.delay_bars,
        minimum_order=settings.minimum_order,
    )
    market, account = Market.of(window), Account(capital=settings.capital, shared=shared)
    result = simulate(market, targets, timeframe=timeframe, costs=costs, account=account)
    year = bars_per_year(timeframe)
    own = sharpe_ratio(bar_returns(result.equity.to_numpy(), result.capital))
    return Traded(
        backtest=result,
        holding=buy_and_hold(window, timeframe=timeframe, costs=costs, capital=settings.capital),
        other_costs=at_other_costs(market, targets, timeframe=timeframe, costs=costs, account=account),
        trial_sharpe_ratios=(own, *(ratio / sqrt(year) for ratio in settings.tried))
        if settings.tried
        else (),
    )
