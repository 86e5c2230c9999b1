"""Whether a result may be luck: probabilistic and deflated Sharpe ratio, probability of backtest overfitting.

Sharpe ratios here are per bar, never annualised. After Bailey and López de Prado (2012, 2014) and Bailey, Borwein,
López de Prado and Zhu (2017).
"""

from itertools import combinations
from math import e as euler
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "deflated_sharpe_ratio",
    "expected_max_sharpe_ratio",
    "probabilistic_sharpe_ratio",
    "probability_of_overfitting",
]

Floats = NDArray[np.float64]
_NORMAL = NormalDist()


def probabilistic_sharpe_ratio(returns: Floats, benchmark: float = 0.0) -> float:
    """Return the probability (0..1) that the true Sharpe ratio per bar is above ``benchmark``.

    Fewer bars, losses larger than gains and fat tails make it smaller. NaN below three bars or without any risk.
    """
    count = len(returns)
    spread = float(np.std(returns, ddof=1)) if count > 2 else 0.0
    if spread < 1e-15:
        return float("nan")
    centred = np.asarray(returns, dtype=np.float64) - float(np.mean(returns))
    width = float(np.std(returns))
    skew, kurtosis = (float(np.mean((centred / width) ** power)) for power in (3, 4))
    ratio = float(np.mean(returns)) / spread
    variance = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    return (
        _NORMAL.cdf((ratio - benchmark) * sqrt(count - 1) / sqrt(variance)) if variance > 0 else float("nan")
    )


def expected_max_sharpe_ratio(trials: float, spread: float) -> float:
    """Return the Sharpe ratio per bar that the best of so many worthless trials is expected to show.

    ``spread`` is the standard deviation of the trials' Sharpe ratios. 0.0 for one trial or none that differ.
    """
    if trials <= 1 or spread <= 0:
        return 0.0
    low, high = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * euler))
    return float(spread * ((1 - np.euler_gamma) * low + np.euler_gamma * high))


def deflated_sharpe_ratio(returns: Floats, trial_sharpe_ratios: Floats) -> float:
    """Return the probability (0..1) that the chosen trial is better than nothing, given all that were tried.

    ``trial_sharpe_ratios`` (per bar) are those of every trial, the chosen one included. With one trial it is the
    `probabilistic_sharpe_ratio`.
    """
    known = np.asarray(trial_sharpe_ratios, dtype=np.float64)
    known = known[np.isfinite(known)]
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    return probabilistic_sharpe_ratio(returns, expected_max_sharpe_ratio(len(known), spread))


def probability_of_overfitting(returns: Floats, parts: int = 10) -> float:
    """Return how often the trial that is best in one half of time is below the median in the other (0..1).

    Every half of ``parts`` equal stretches of time is used once to choose and once to judge (combinatorially
    symmetric cross-validation). About one half for trials without any skill; NaN for fewer than two trials.

    Parameters
    ----------
    returns
        (n_bars, n_trials).
    parts
        Even, at least 2; the last ``n_bars % parts`` bars are left out.
    """
    if parts < 2 or parts % 2:
        raise ValueError(f"expected an even number of parts, at least 2, found {parts!r}")
    if returns.ndim != 2 or returns.shape[1] < 2 or returns.shape[0] < 2 * parts:
        return float("nan")
    length = returns.shape[0] // parts
    blocks = returns[: length * parts].reshape(parts, length, -1)
    sums, squares = blocks.sum(axis=1), (blocks**2).sum(axis=1)
    whole = np.arange(parts)
    below = []
    for chosen in combinations(range(parts), parts // 2):
        inside = np.isin(whole, chosen)
        best = int(np.argmax(_ratios(sums[inside], squares[inside], length)))
        judged = _ratios(sums[~inside], squares[~inside], length)
        rank = float((judged < judged[best]).sum() + ((judged == judged[best]).sum() + 1) / 2)
        below.append(rank / (len(judged) + 1) <= 0.5)
    return float(np.mean(below))


def _ratios(sums: Floats, squares: Floats, length: int) -> Floats:
    count = length * len(sums)
    mean = sums.sum(axis=0) / count
    variance = np.maximum(squares.sum(axis=0) / count - mean**2, 0.0)
    still = variance < 1e-30
    return np.where(still, 0.0, mean / np.sqrt(np.where(still, 1.0, variance)))
