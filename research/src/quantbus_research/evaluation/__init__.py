"""Evaluation: pure metrics; each docstring says the unit."""

from quantbus_research.evaluation.chance import (
    deflated_sharpe_ratio,
    expected_max_sharpe_ratio,
    probabilistic_sharpe_ratio,
    probability_of_overfitting,
)
from quantbus_research.evaluation.plain import with_none_for_nan
from quantbus_research.evaluation.ranking import area_under_curve, hit_rate, rank_correlation
from quantbus_research.evaluation.returns import (
    annual_return,
    annual_volatility,
    bar_returns,
    calmar_ratio,
    drawdowns,
    longest_drawdown_bars,
    max_drawdown,
    sharpe_ratio,
    sortino_ratio,
    total_return,
)
from quantbus_research.evaluation.timing import timing_ratio
from quantbus_research.evaluation.trading import (
    annual_turnover,
    gross_exposure,
    net_exposure,
    profit_factor,
    time_in_market,
)
from quantbus_research.evaluation.year import bars_per_year

__all__ = [
    "annual_return",
    "annual_turnover",
    "annual_volatility",
    "area_under_curve",
    "bar_returns",
    "bars_per_year",
    "calmar_ratio",
    "deflated_sharpe_ratio",
    "drawdowns",
    "expected_max_sharpe_ratio",
    "gross_exposure",
    "hit_rate",
    "longest_drawdown_bars",
    "max_drawdown",
    "net_exposure",
    "probabilistic_sharpe_ratio",
    "probability_of_overfitting",
    "profit_factor",
    "rank_correlation",
    "sharpe_ratio",
    "sortino_ratio",
    "time_in_market",
    "timing_ratio",
    "total_return",
    "with_none_for_nan",
]
