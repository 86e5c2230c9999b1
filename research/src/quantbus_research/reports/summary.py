"""What a backtest amounts to, in figures that can be written as JSON, and in a sentence that claims no more."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from quantbus_research import evaluation
from quantbus_research.backtests import Backtest
from quantbus_research.evaluation import bars_per_year, with_none_for_nan

__all__ = ["Figures", "Summary", "figures_of", "summarise"]

Floats = NDArray[np.float64]
CONVINCING = 0.95
"""A deflated Sharpe ratio from which on a result is not taken for luck."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One run in numbers. Returns, drawdowns, shares and probabilities are fractions; money is in quote currency."""

    total_return: float
    annual_return: float
    annual_volatility: float
    sharpe: float
    sortino: float
    calmar: float
    max_drawdown: float
    longest_drawdown_bars: int
    annual_turnover: float
    mean_gross_exposure: float
    mean_net_exposure: float
    time_in_market: float
    trades: int
    won: float
    profit_factor: float
    fees: float
    slippage: float
    funding: float
    dropped_entries: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A backtest beside what it costs, what holding would have brought, and what luck would.

    ``verdict`` is what may be said of it, ``doubts`` what should be said with it.
    """

    verdict: str
    doubts: tuple[str, ...]
    timeframe: str
    first_bar: str
    last_bar: str
    symbols: tuple[str, ...]
    capital: float
    costs: Mapping[str, float]
    result: Figures
    buy_and_hold: Figures | None
    at_other_costs: Mapping[str, Figures]
    timing: float
    """Yearly Sharpe ratio of what it earned beyond holding the same mean exposure all along."""
    probabilistic_sharpe: float
    deflated_sharpe: float
    trials: int
    per_symbol: Mapping[str, Mapping[str, float]]
    per_month: Mapping[str, float]

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON; a figure that does not exist is None."""
        return {name: with_none_for_nan(value) for name, value in asdict(self).items()}


def figures_of(backtest: Backtest) -> Figures:
    """Return the figures of one run."""
    equity = backtest.equity.to_numpy()
    year = bars_per_year(backtest.timeframe)
    returns = evaluation.bar_returns(equity, backtest.capital)
    profits = backtest.trades["profit"].to_numpy(np.float64)
    orders = backtest.orders
    return Figures(
        total_return=evaluation.total_return(equity, backtest.capital),
        annual_return=evaluation.annual_return(equity, backtest.capital, year),
        annual_volatility=evaluation.annual_volatility(returns, year),
        sharpe=evaluation.sharpe_ratio(returns, year),
        sortino=evaluation.sortino_ratio(returns, year),
        calmar=evaluation.calmar_ratio(equity, backtest.capital, year),
        max_drawdown=evaluation.max_drawdown(equity, backtest.capital),
        longest_drawdown_bars=evaluation.longest_drawdown_bars(equity, backtest.capital),
        annual_turnover=evaluation.annual_turnover(backtest.traded_value, equity, year),
        mean_gross_exposure=float(np.mean(evaluation.gross_exposure(backtest.values, equity))),
        mean_net_exposure=float(np.mean(evaluation.net_exposure(backtest.values, equity))),
        time_in_market=evaluation.time_in_market(backtest.values),
        trades=len(profits),
        won=float((profits > 0).mean()) if len(profits) else float("nan"),
        profit_factor=evaluation.profit_factor(profits),
        fees=float(orders["fee"].sum()),
        slippage=float(orders["slippage"].sum()),
        funding=float(backtest.funding_paid.sum()),
        dropped_entries=backtest.dropped_entries,
    )


def summarise(
    backtest: Backtest,
    *,
    holding: Backtest | None = None,
    other_costs: Mapping[str, Backtest] | None = None,
    trial_sharpe_ratios: Sequence[float] = (),
) -> Summary:
    """Put a run into figures and judge it.

    Parameters
    ----------
    holding
        `buy_and_hold` of the same candles.
    other_costs
        `at_other_costs` of the same targets.
    trial_sharpe_ratios
        Per bar, of every variant that was tried, this one included; without them it counts as the only one.
    """
    result = figures_of(backtest)
    held = None if holding is None else figures_of(holding)
    others = {name: figures_of(run) for name, run in (other_costs or {}).items()}
    returns = evaluation.bar_returns(backtest.equity.to_numpy(), backtest.capital)
    timing = float("nan") if holding is None else _timing(backtest, holding, returns)
    trials = max(1, len(trial_sharpe_ratios))
    probable = evaluation.probabilistic_sharpe_ratio(returns)
    deflated = evaluation.deflated_sharpe_ratio(returns, np.asarray(trial_sharpe_ratios, dtype=np.float64))
    return Summary(
        verdict=_verdict(result, others.get("no costs"), deflated, trials),
        doubts=tuple(_doubts(backtest, result, held, others, trials, timing)),
        timeframe=backtest.timeframe.name,
        first_bar=backtest.market.times[0].isoformat(),
        last_bar=backtest.market.times[-1].isoformat(),
        symbols=backtest.market.symbols,
        capital=backtest.capital,
        costs=asdict(backtest.costs),
        result=result,
        buy_and_hold=held,
        at_other_costs=others,
        timing=timing,
        probabilistic_sharpe=probable,
        deflated_sharpe=deflated,
        trials=trials,
        per_symbol=_per_symbol(backtest),
        per_month=_per_month(backtest),
    )


def _timing(backtest: Backtest, holding: Backtest, returns: Floats) -> float:
    if len(holding.market.times) != len(backtest.market.times):
        return float("nan")
    exposure = evaluation.net_exposure(backtest.values, backtest.equity.to_numpy())
    held = evaluation.bar_returns(holding.equity.to_numpy(), holding.capital)
    return evaluation.timing_ratio(returns, held, exposure, bars_per_year(backtest.timeframe))


def _verdict(result: Figures, free: Figures | None, deflated: float, trials: int) -> str:
    if result.trades == 0:
        return "It made no trade, so there is nothing to judge."
    gained = f"{result.total_return:+.1%} after costs"
    if result.total_return <= 0 and free is not None and free.total_return > 0:
        return f"The edge does not survive its costs: {free.total_return:+.1%} before them, {gained}."
    if result.total_return <= 0:
        return f"There is no edge: {gained}."
    if not deflated >= CONVINCING:
        tried = "one variant" if trials == 1 else f"the best of {trials} variants"
        chance = f"{deflated:.0%}" if isfinite(deflated) else "an unknown probability"
        return f"It gained {gained}, which may be luck: as {tried}, it is better than nothing with {chance}."
    return f"It gained {gained}, and luck is an unlikely reason ({deflated:.0%} that the Sharpe ratio is above zero)."


def _doubts(
    backtest: Backtest,
    result: Figures,
    held: Figures | None,
    others: Mapping[str, Figures],
    trials: int,
    timing: float,
) -> list[str]:
    said = []
    if result.total_return > 0 and timing <= 0:
        said.append(
            f"Holding {result.mean_net_exposure:.0%} of the capital all along would have earned more, bar by bar: "
            "it was in a rise, and knew nothing about it."
        )
    if held is not None and result.trades and result.total_return < held.total_return:
        said.append(f"Buying once and holding brought {held.total_return:+.1%}, which is more.")
    dearer = others.get("all +50 %")
    if dearer is not None and result.total_return > 0 >= dearer.total_return:
        said.append(f"With costs half as high again nothing is left ({dearer.total_return:+.1%}).")
    if 0 < result.trades < 30:
        said.append(f"{result.trades} trades are too few to tell skill from luck.")
    if trials == 1 and result.trades:
        said.append("It is judged as the only variant that was tried; if there were more, say so.")
    if backtest.costs.fee_rate == 0 and result.trades:
        said.append("No fee was charged.")
    if backtest.costs.spread_rate == 0 and backtest.costs.impact_alpha == 0 and result.trades:
        said.append("Every order filled at the open of the next bar exactly; no spread, no impact.")
    if (backtest.worth <= 0).any():
        said.append("Capital was lost to the last coin somewhere; what came after it is bookkeeping.")
    if result.dropped_entries:
        said.append(f"{result.dropped_entries} entries were below the least order and were not made.")
    return said


def _per_symbol(backtest: Backtest) -> dict[str, dict[str, float]]:
    trades, gained = backtest.trades, backtest.profits.iloc[-1]
    table = {}
    for symbol in backtest.market.symbols:
        own = trades[trades["symbol"] == symbol]["profit"]
        table[symbol] = {
            "profit": float(gained[symbol]),
            "trades": float(len(own)),
            "won": float((own > 0).mean()) if len(own) else float("nan"),
        }
    return table


def _per_month(backtest: Backtest) -> dict[str, float]:
    equity = backtest.equity
    ends = equity.groupby(backtest.market.times.strftime("%Y-%m")).last()
    before = ends.shift(fill_value=backtest.capital)
    return {str(month): float(change) for month, change in (ends / before - 1.0).items()}
