"""One position at a time: in the market or out of it, and never out of it."""

from typing import TypeVar

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ContractError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests.engine import Account, simulate
from quantbus_research.backtests.result import Backtest
from quantbus_research.costs import FREE, CostModel

__all__ = ["buy_and_hold", "simulate_long_flat"]

_ONLY = "market"
Frame = TypeVar("Frame", pd.Series, pd.DataFrame)


def simulate_long_flat(
    candles: pd.DataFrame,
    position: pd.Series | None = None,
    *,
    timeframe: Timeframe,
    costs: CostModel = FREE,
    capital: float = 10_000.0,
    funding: pd.Series | None = None,
) -> Backtest:
    """Be in the market with everything where ``position`` is 1, out of it where it is 0; without one, buy and hold.

    Parameters
    ----------
    candles
        By datetime (bar open time, UTC) for one market, or by (symbol, datetime) for several, each of which then
        trades an equal part of the capital.
    position
        0 or 1 for every candle, by the same labels in any order: what to hold once that candle has closed. It takes
        effect at the next open.
    funding
        As `simulate` takes it.

    Raises
    ------
    ContractError
        If a candle has no position, a position no candle, or it is neither 0 nor 1.
    """
    if position is None:
        return buy_and_hold(candles, timeframe=timeframe, costs=costs, capital=capital, funding=funding)
    panel, wanted = _as_panel(candles), _as_panel(position)
    if len(wanted) != len(panel) or not panel.index.difference(wanted.index).empty:
        raise ContractError(
            f"position: expected one value for each of {len(panel)} candles by the same labels, "
            f"found {len(wanted)} values"
        )
    if not wanted.isin([0, 1]).all():
        found = float(wanted[~wanted.isin([0, 1])].iloc[0])
        raise ContractError(f"position: expected 0 or 1, found {found!r}")
    return _in_sleeves(panel, wanted.astype(np.float64), timeframe, costs, capital, funding)


def buy_and_hold(
    candles: pd.DataFrame,
    *,
    timeframe: Timeframe,
    costs: CostModel = FREE,
    capital: float = 10_000.0,
    funding: pd.Series | None = None,
) -> Backtest:
    """Buy each market once, at the open of its second candle, and keep it: what a position has to be better than."""
    panel = _as_panel(candles)
    return _in_sleeves(panel, pd.Series(1.0, index=panel.index), timeframe, costs, capital, funding)


def _in_sleeves(
    panel: pd.DataFrame,
    wanted: pd.Series,
    timeframe: Timeframe,
    costs: CostModel,
    capital: float,
    funding: pd.Series | None,
) -> Backtest:
    charged = None if funding is None else _as_panel(funding)
    account = Account(capital=capital)
    return simulate(panel, wanted, timeframe=timeframe, costs=costs, account=account, funding=charged)


def _as_panel(values: Frame) -> Frame:
    return values if values.index.nlevels == 2 else pd.concat({_ONLY: values}, names=["symbol", "datetime"])
