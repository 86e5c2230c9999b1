"""Return and risk of an equity curve; pure functions of plain arrays, NaN where a figure does not exist.

``equity`` is the worth at each bar's close, above zero; a *return* is a fraction of a bar (0.01 is 1 %);
``bars_per_year`` is 8,760 for hourly bars, because these markets never close.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "annual_return",
    "annual_volatility",
    "bar_returns",
    "calmar_ratio",
    "drawdowns",
    "longest_drawdown_bars",
    "max_drawdown",
    "sharpe_ratio",
    "sortino_ratio",
    "total_return",
]

Floats = NDArray[np.float64]
_MONTHS = 12.5
"""A year over the shortest span from which a yearly return is told."""
_STILL = 1e-15
"""A spread of returns below this is rounding, not risk."""


def bar_returns(equity: Floats, capital: float | None = None) -> Floats:
    """Return the change of each bar over the one before (a fraction); the first over ``capital``, if it is given."""
    levels = np.asarray(equity, dtype=np.float64)
    if capital is not None:
        levels = np.concatenate([[capital], levels])
    return levels[1:] / levels[:-1] - 1.0


def total_return(equity: Floats, capital: float) -> float:
    """Return the whole gain as a fraction of the capital."""
    return float(equity[-1] / capital - 1.0) if len(equity) else 0.0


def annual_return(equity: Floats, capital: float, bars_per_year: float) -> float:
    """Return the yearly growth (a fraction) that leads from the capital to the end; -1 if nothing is left.

    NaN for less than a month: no year can be told from it.
    """
    if not len(equity):
        return float("nan")
    grown, times = float(equity[-1] / capital), bars_per_year / len(equity)
    if grown <= 0:
        return -1.0
    return float(grown**times - 1.0) if times <= _MONTHS else float("nan")


def annual_volatility(returns: Floats, bars_per_year: float) -> float:
    """Return the standard deviation of a year's return (a fraction)."""
    return float(np.std(returns, ddof=1) * np.sqrt(bars_per_year)) if len(returns) > 1 else float("nan")


def sharpe_ratio(returns: Floats, bars_per_year: float = 1.0) -> float:
    """Return mean over standard deviation of returns, per square root of a year (of a bar by default)."""
    if len(returns) < 2:
        return float("nan")
    spread = float(np.std(returns, ddof=1))
    return (
        float(np.mean(returns)) / spread * float(np.sqrt(bars_per_year)) if spread > _STILL else float("nan")
    )


def sortino_ratio(returns: Floats, bars_per_year: float = 1.0) -> float:
    """Return mean over the root mean square of losses (gains as 0), per square root of a year."""
    if len(returns) < 2:
        return float("nan")
    losses = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    return (
        float(np.mean(returns)) / losses * float(np.sqrt(bars_per_year)) if losses > _STILL else float("nan")
    )


def drawdowns(equity: Floats, capital: float | None = None) -> Floats:
    """Return how far each bar lies below the highest worth so far (a fraction, 0 to 1; above 1 when in debt)."""
    levels = np.asarray(equity, dtype=np.float64)
    peaks = np.maximum.accumulate(levels if capital is None else np.maximum(levels, capital))
    return 1.0 - levels / peaks


def max_drawdown(equity: Floats, capital: float | None = None) -> float:
    """Return the deepest drawdown (a fraction)."""
    return float(drawdowns(equity, capital).max()) if len(equity) else 0.0


def longest_drawdown_bars(equity: Floats, capital: float | None = None) -> int:
    """Return for how many bars in a row the worth lay below an earlier one."""
    below = np.concatenate([[False], drawdowns(equity, capital) > _STILL, [False]])
    edges = np.flatnonzero(below[1:] != below[:-1])
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def calmar_ratio(equity: Floats, capital: float, bars_per_year: float) -> float:
    """Return the yearly return over the deepest drawdown."""
    deepest = max_drawdown(equity, capital)
    return annual_return(equity, capital, bars_per_year) / deepest if deepest > _STILL else float("nan")
