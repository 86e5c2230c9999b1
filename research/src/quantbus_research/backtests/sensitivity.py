"""The same decisions at other costs: how much of a result is an opinion about costs."""

from collections.abc import Mapping

import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests.engine import Account, simulate
from quantbus_research.backtests.market import Market
from quantbus_research.backtests.result import Backtest
from quantbus_research.costs import CostModel

__all__ = ["SCENARIOS", "at_other_costs"]

SCENARIOS: Mapping[str, tuple[float, float]] = {
    "no costs": (0.0, 0.0),
    "all -50 %": (0.5, 0.5),
    "slippage -50 %": (1.0, 0.5),
    "as assumed": (1.0, 1.0),
    "slippage +50 %": (1.0, 1.5),
    "all +50 %": (1.5, 1.5),
    "all +100 %": (2.0, 2.0),
}
"""Factors of the fee, and of spread and impact."""


def at_other_costs(
    panel: pd.DataFrame | Market,
    targets: pd.Series | pd.DataFrame,
    *,
    timeframe: Timeframe,
    costs: CostModel,
    account: Account | None = None,
    funding: pd.Series | None = None,
) -> dict[str, Backtest]:
    """Run the same targets at each of `SCENARIOS`; delay, least order and funding stay as they are."""
    market = panel if isinstance(panel, Market) else Market.of(panel)
    return {
        name: simulate(
            market,
            targets,
            timeframe=timeframe,
            costs=costs.scaled(fees=fees, slippage=slippage),
            account=account,
            funding=funding,
        )
        for name, (fees, slippage) in SCENARIOS.items()
    }
