"""Runs the compiled engine over a panel of bars and the targets decided on them."""

from dataclasses import dataclass
from importlib import import_module
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.policy import RAISED_AT_MOST
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests.market import Market
from quantbus_research.backtests.result import Backtest
from quantbus_research.costs import FREE, CostModel
from quantbus_research.settings.extras import load

__all__ = ["Account", "simulate"]

Floats = NDArray[np.float64]
_NOTHING = np.empty((0, 0))
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What there is to trade with.

    Attributes
    ----------
    capital
        In quote currency, at the start.
    shared
        Whether all symbols trade from one balance. Otherwise each has an equal part of the capital for itself.
    compounds
        Whether a target is a share of what the capital has become; otherwise of what it was at the start, as with
        a fixed stake.
    drift_band
        By which share of the capital a position may differ from a new target before it is resized, as
        `quantbus_contracts.policy.resize` has it. None: a position is only changed where its target changes.
    """

    capital: float = 10_000.0
    shared: bool = False
    compounds: bool = True
    drift_band: float | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if not (isfinite(self.capital) and self.capital > 0):
            raise ConfigError(f"capital: expected an amount above zero, found {self.capital!r}")
        if self.drift_band is not None and not 0 <= self.drift_band < 1:
            raise ConfigError(
                f"drift_band: expected a share from 0 to below 1 or none, found {self.drift_band!r}"
            )


def simulate(
    panel: pd.DataFrame | Market,
    targets: pd.Series | pd.DataFrame,
    *,
    timeframe: Timeframe,
    costs: CostModel = FREE,
    account: Account | None = None,
    funding: pd.Series | None = None,
) -> Backtest:
    """Trade ``targets`` over the bars of ``panel``; a decision at a bar's close is acted upon at the next open.

    Parameters
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC); columns open, close, volume. A `Market` made from one
        saves the time where the same bars are used again.
    targets
        Share of the capital to hold, -1..1 (short below zero), decided at the close of the bar it is labelled with;
        by (symbol, datetime), or datetime by symbol. NaN, or no value: leave the position as it is. Where the next
        bar is missing, the first one that is there counts.
    funding
        By (symbol, datetime), as `quantbus_research.costs.funding_by_bar` gives it.

    Raises
    ------
    ContractError
        If labels do not match those of the bars, or a target is out of range.
    ConfigError
        If the extra ``backtest`` is not installed.
    """
    market = panel if isinstance(panel, Market) else Market.of(panel)
    account = account or Account()
    target = market.aligned(targets, "targets")
    _require_range(target, account)
    whole = int(costs.delay_bars)
    price = market.open + (costs.delay_bars - whole) * (market.close - market.open)
    paid_rate = _NOTHING if funding is None else np.nan_to_num(market.aligned(funding, "funding"))
    traded = market.close * market.volume if costs.impact_alpha > 0 else _NOTHING
    return run(market, target, price, traded, paid_rate, timeframe, costs, account)


def run(
    market: Market,
    target: Floats,
    price: Floats,
    traded: Floats,
    funding: Floats,
    timeframe: Timeframe,
    costs: CostModel,
    account: Account,
) -> Backtest:
    """Run the engine over arrays that are aligned already."""
    load("numba", extra="backtest", purpose="the backtest engine")
    kernels: Any = import_module("quantbus_research.backtests._kernels")
    symbols, bars = price.shape
    fills = kernels.Fills(
        np.empty(price.size, np.int32), np.empty(price.size, np.int64), *np.empty((4, price.size))
    )
    worth = np.empty((1 if account.shared else symbols, bars))
    paid = np.zeros(price.shape) if funding.size else _NOTHING
    tape = kernels.Tape(target, price, market.close, traded, funding)
    if account.shared:  # all symbols of a bar are looked at together, so they lie together
        tape, paid = (
            kernels.Tape(*(np.ascontiguousarray(values.T) for values in tape)),
            np.ascontiguousarray(paid.T),
        )
    engine = kernels.run_shared if account.shared else kernels.run_sleeves
    each = account.capital if account.shared else account.capital / symbols
    count, dropped = engine(tape, each, _terms(kernels, costs, account), fills, worth, paid)
    return Backtest(
        market=market,
        timeframe=timeframe,
        costs=costs,
        capital=account.capital,
        worth=worth,
        fills=pd.DataFrame({name: column[:count].copy() for name, column in fills._asdict().items()}),
        funding_paid=paid.T if account.shared else paid,
        dropped_entries=int(dropped),
    )


def _terms(kernels: Any, costs: CostModel, account: Account) -> Any:  # noqa: ANN401 - loaded where needed
    return kernels.Terms(
        fee_rate=float(costs.fee_rate),
        half_spread=costs.spread_rate / 2,
        impact_alpha=float(costs.impact_alpha),
        impact_beta=float(costs.impact_beta),
        minimum_order=float(costs.minimum_order),
        raised_at_most=RAISED_AT_MOST,
        band=-1.0 if account.drift_band is None else float(account.drift_band),
        compounds=account.compounds,
        shift=1 + int(costs.delay_bars),
    )


def _require_range(target: Floats, account: Account) -> None:
    known = np.nan_to_num(target)
    if np.isinf(target).any() or (np.abs(known) > 1).any():
        raise ContractError("targets: expected shares from -1 to 1, found others")
    if account.shared and (np.abs(known).sum(axis=0) > 1 + _ROUNDING).any():
        raise ContractError(
            "targets: expected shares of one capital that amount to at most 1, "
            f"found {np.abs(known).sum(axis=0).max():g} in one bar"
        )
