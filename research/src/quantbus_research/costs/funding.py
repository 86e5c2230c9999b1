"""Funding of perpetual swaps, bar by bar: each payment where the position stands on which it was charged."""

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ContractError

__all__ = ["funding_by_bar"]

_GRAIN = "1s"
"""Venues stamp a payment a few milliseconds after the hour it belongs to."""


def funding_by_bar(rates: pd.Series, index: pd.Index) -> pd.Series:
    """Sum funding rates into bars: a payment counts at the first open at or after it.

    At that open it is charged on what was held until then, so a position entered at the very open of a payment
    does not pay it and one left there does, as at the venue.

    Parameters
    ----------
    rates
        By (symbol, datetime = moment of the payment, UTC); a fraction of the position's value, paid by longs to
        shorts where above zero.
    index
        (symbol, datetime = bar open time, UTC) of the bars.

    Returns
    -------
    Series on ``index``; 0.0 where nothing was charged. Payments after a symbol's last bar are left out.

    Raises
    ------
    ContractError
        If a rate is not a finite number.
    """
    if not np.isfinite(rates.to_numpy(np.float64)).all():
        raise ContractError(f"expected finite funding rates, found {int((~np.isfinite(rates)).sum())} others")
    summed = np.zeros(len(index))
    symbols, opened = index.get_level_values(0), pd.DatetimeIndex(index.get_level_values(1)).as_unit("ns")
    for symbol, part in rates.groupby(level=0):
        rows = np.flatnonzero(symbols == symbol)
        paid_at = pd.DatetimeIndex(part.index.get_level_values(1)).as_unit("ns").floor(_GRAIN)
        places = np.searchsorted(opened[rows].asi8, paid_at.asi8, side="left")
        inside = places < len(rows)
        np.add.at(summed, rows[places[inside]], part.to_numpy(np.float64)[inside])
    return pd.Series(summed, index=index, name="funding")
