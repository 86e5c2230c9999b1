"""What was earned beyond being there: pure functions of plain arrays."""

import numpy as np
from numpy.typing import NDArray

from quantbus_research.evaluation.returns import sharpe_ratio

__all__ = ["timing_ratio"]

Floats = NDArray[np.float64]


def timing_ratio(
    returns: Floats, holding_returns: Floats, net_exposure: Floats, bars_per_year: float
) -> float:
    """Return the Sharpe ratio of what was earned beyond holding the mean exposure all along, per square root of a year.

    Being long in a rise is no information: ``holding_returns`` times the mean of ``net_exposure`` is taken off. NaN
    without any difference between the two.
    """
    active = returns - float(np.mean(net_exposure)) * holding_returns
    return sharpe_ratio(active, bars_per_year)
