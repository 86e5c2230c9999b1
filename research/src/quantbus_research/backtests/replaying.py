"""Signals to a backtest in one step: who would have been in the market, and what it would have come to."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from quantbus_contracts.errors import ContractError
from quantbus_contracts.policy import TradingRules
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests.engine import Account, simulate
from quantbus_research.backtests.following import Followed, follow, targets_of
from quantbus_research.backtests.result import Backtest
from quantbus_research.costs import FREE, CostModel

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, slots=True)
class Replay:
    """The positions that the signals led to, the same as targets, and their result."""

    followed: tuple[Followed, ...]
    targets: pd.DataFrame
    backtest: Backtest


def replay(
    signals: Collection[PublishedSignal],
    panel: pd.DataFrame,
    *,
    timeframe: Timeframe,
    rules: TradingRules,
    costs: CostModel = FREE,
    account: Account | None = None,
    stake: float = 1.0,
    funding: pd.Series | None = None,
) -> Replay:
    """Follow the signals of one strategy over the bars of ``panel`` (of ``timeframe``) and trade what comes of it.

    Raises
    ------
    ContractError
        If there are bars of none of the signals' symbols.
    """
    symbols = {published.signal.pair: published.signal.symbol for published in signals}
    there = panel.index.get_level_values(0)
    known = {pair: symbol for pair, symbol in sorted(symbols.items()) if symbol in there}
    if not known:
        raise ContractError(
            f"expected bars of {', '.join(sorted(symbols.values())) or 'some signal'}, "
            f"found {', '.join(map(str, there.unique()))}"
        )
    bars = panel[there.isin(list(known.values()))]
    opens = {
        pair: [moment.to_pydatetime() for moment in bars.xs(symbol, level=0).index.sort_values()]
        for pair, symbol in known.items()
    }
    followed = follow(signals, opens, rules, stake=stake)
    times = pd.DatetimeIndex(bars.index.get_level_values(1).unique()).sort_values()
    targets = targets_of(followed, known, times)
    charged = (
        None if funding is None else funding[funding.index.get_level_values(0).isin(list(known.values()))]
    )
    backtest = simulate(bars, targets, timeframe=timeframe, costs=costs, account=account, funding=charged)
    return Replay(tuple(followed), targets, backtest)
