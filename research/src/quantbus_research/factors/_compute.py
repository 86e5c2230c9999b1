"""The door's functions: what factors there are, and their values on a panel."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_research.factors import momentum, trend, volatility, volume
from quantbus_research.factors._base import COLUMNS, Bars, Factor

__all__ = ["catalogue", "compute", "compute_factors", "lookback_bars", "select"]

_FAMILIES = (momentum, trend, volatility, volume)


def catalogue() -> Mapping[str, Factor]:
    """Return every factor by name."""
    return {factor.name: factor for family in _FAMILIES for factor in family.FACTORS}


def select(names: Sequence[str]) -> tuple[Factor, ...]:
    """Return the named factors in the given order.

    Raises
    ------
    ConfigError
        If a name is not in the catalogue.
    """
    known = catalogue()
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"expected a factor out of {', '.join(known)}, found {name!r}{hint}")
    return tuple(known[name] for name in names)


def lookback_bars(names: Sequence[str]) -> int:
    """Return how many bars the named factors need together, the evaluated bar included."""
    return max((factor.lookback_bars for factor in select(names)), default=1)


def compute(panel: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Compute factors by name.

    Parameters
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC), symbols in any order, the bars of each symbol
        ascending; columns open, high, low, close, volume.
    names
        Names out of the `catalogue`.

    Returns
    -------
    DataFrame
        One column for each name on the panel's own index; NaN while a factor warms up.
    """
    return compute_factors(panel, select(names))


def compute_factors(panel: pd.DataFrame, factors: Sequence[Factor]) -> pd.DataFrame:
    """Compute the given factors; see `compute`."""
    _check(panel)
    values = np.full((len(panel), len(factors)), np.nan)
    columns = {str(name): panel[name].to_numpy(np.float64) for name in COLUMNS}
    for found in panel.groupby(level=0, sort=False).indices.values():
        rows = np.asarray(found)
        _check_ascending(panel, rows)
        for column, factor in enumerate(factors):
            bars: Bars = {name: columns[name][rows] for name in factor.inputs}
            values[rows, column] = factor.function(bars)
    return pd.DataFrame(values, index=panel.index, columns=[factor.name for factor in factors])


def _check(panel: pd.DataFrame) -> None:
    if panel.index.nlevels != 2:
        raise ContractError(f"expected an index (symbol, datetime), found levels {panel.index.names!r}")
    missing = [name for name in COLUMNS if name not in panel.columns]
    if missing:
        raise ContractError(f"expected columns {', '.join(COLUMNS)}, found none called {', '.join(missing)}")


def _check_ascending(panel: pd.DataFrame, rows: NDArray[np.int64]) -> None:
    times = panel.index.get_level_values(1)[rows]
    if not (times.is_monotonic_increasing and times.is_unique):
        symbol = panel.index.get_level_values(0)[rows[0]]
        raise ContractError(f"expected the bars of {symbol} once each and oldest first; sort the panel")
