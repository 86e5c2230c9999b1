"""Portfolios sorted by a factor: what each brought, and what is left of long-short after costs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantbus_research.audits._information import mean_of
from quantbus_research.audits._ranks import Ranked

__all__ = ["LongShort", "long_short", "quantile_returns", "quantiles_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LongShort:
    """High values long and low values short, half of the capital each: per bar, as shares of the capital.

    ``gained`` is before costs, ``exchanged`` the share of the portfolio that was replaced.
    """

    gained: Floats
    exchanged: Floats


def quantiles_of(factor: Ranked, quantiles: int, least: int) -> NDArray[np.int64]:
    """Return the portfolio of each symbol in each bar, 0 = lowest values; -1 where it is in none.

    A bar with fewer than ``least`` symbols, or without differences between them, has no portfolios.
    """
    counts = factor.counts
    share = (factor.centred + counts[:, None] / 2) / np.maximum(counts, 1)[:, None]
    placed = np.clip((share * quantiles).astype(np.int64), 0, quantiles - 1)
    sorted_ = (counts >= least) & factor.varies
    return np.where(factor.there & sorted_[:, None], placed, -1)


def quantile_returns(placed: NDArray[np.int64], returns: Floats, quantiles: int) -> tuple[float, ...]:
    """Return the mean over bars of each portfolio's equally weighted return (a fraction)."""
    known = np.isfinite(returns)
    found = []
    for number in range(quantiles):
        inside = (placed == number) & known
        count = inside.sum(axis=1)
        total = np.where(inside, returns, 0.0).sum(axis=1)
        held = count > 0
        found.append(mean_of(total[held] / count[held]))
    return tuple(found)


def long_short(
    placed: NDArray[np.int64], next_returns: Floats, quantiles: int, horizon_bars: int
) -> LongShort:
    """Hold every bar's top and bottom for ``horizon_bars``: each bar, so much of the capital is invested anew.

    Parameters
    ----------
    next_returns
        (n_times, n_symbols): from the open after the bar to the next one; where it is not known nothing is gained.
    """
    weights = _legs(placed == quantiles - 1) - _legs(placed == 0)
    # a side without the other is no long-short portfolio
    weights[~((placed == quantiles - 1).any(axis=1) & (placed == 0).any(axis=1))] = 0.0
    held = _mean_of_last(weights, horizon_bars)
    gained = (held * np.nan_to_num(next_returns)).sum(axis=1)
    traded = np.abs(np.diff(held, axis=0, prepend=0.0)).sum(axis=1)
    return LongShort(gained, traded / 2)


def _legs(chosen: NDArray[np.bool_]) -> Floats:
    share = 0.5 / np.maximum(chosen.sum(axis=1), 1)
    return np.where(chosen, share[:, None], 0.0)


def _mean_of_last(weights: Floats, bars: int) -> Floats:
    if bars == 1:
        return weights
    held = np.zeros_like(weights)
    for age in range(min(bars, len(weights))):  # a difference of running sums would leave dust behind
        held[age:] += weights[: len(weights) - age]
    return held / bars
