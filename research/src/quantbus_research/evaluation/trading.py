"""How much is traded and how much is at stake; pure functions of plain arrays."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["annual_turnover", "gross_exposure", "net_exposure", "profit_factor", "time_in_market"]

Floats = NDArray[np.float64]


def annual_turnover(traded_value: Floats, equity: Floats, bars_per_year: float) -> float:
    """Return how many times a year the capital is traded: value bought and sold over mean worth, per year."""
    if not len(equity):
        return 0.0
    return float(np.sum(traded_value) / np.mean(equity) * bars_per_year / len(equity))


def gross_exposure(values: Floats, equity: Floats) -> Floats:
    """Return the worth of all positions, short ones counted as they are large, over the account's (n_bars,)."""
    return np.asarray(np.abs(values).sum(axis=0) / equity, dtype=np.float64)


def net_exposure(values: Floats, equity: Floats) -> Floats:
    """Return longs less shorts over the account's worth (n_bars,); -1 is all short."""
    return np.asarray(values.sum(axis=0) / equity, dtype=np.float64)


def time_in_market(values: Floats) -> float:
    """Return the share of bars with any position at their close."""
    return float((values != 0).any(axis=0).mean()) if values.size else 0.0


def profit_factor(profits: Floats) -> float:
    """Return what won trades brought in over what lost ones cost; infinite without a loss, NaN without a trade."""
    if not len(profits):
        return float("nan")
    won, lost = float(profits[profits > 0].sum()), float(-profits[profits < 0].sum())
    return won / lost if lost > 0 else float("inf")
