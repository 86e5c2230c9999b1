"""The door's functions: what factors there are, and their values on a panel."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors._declared import declared
from quantbus_research.factors._template import Domain, Factor
from quantbus_research.factors.expressions import Layout, columns_of, evaluate

__all__ = [
    "Vocabulary",
    "catalogue",
    "compute",
    "compute_factors",
    "factor_set",
    "factor_sets",
    "lookback_bars",
    "parameter_domains",
    "select",
]


def catalogue() -> Mapping[str, Factor]:
    """Return every declared factor by name; `select` knows more: all that lie in the declared domains."""
    return declared().catalogue


def factor_sets() -> Mapping[str, tuple[str, ...]]:
    """Return the declared sets: names of factors by the set's name."""
    return declared().sets


def factor_set(name: str) -> tuple[str, ...]:
    """Return the names in a declared set.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    sets = factor_sets()
    if name not in sets:
        raise ConfigError(f"expected a set out of {', '.join(sets)}, found {name!r}")
    return sets[name]


def parameter_domains() -> Mapping[str, Mapping[str, Domain]]:
    """Return what each parameter of each template may be: by template, by parameter."""
    return {name: entry.domains for name, entry in declared().entries.items()}


def select(names: Sequence[str]) -> tuple[Factor, ...]:
    """Return the named factors in the given order.

    A name is a template with its parameters (``rsi_14``), alone or followed by a normaliser (``rsi_14__zscore_240``).

    Raises
    ------
    ConfigError
        If a name means no factor, or a parameter lies outside its domain.
    """
    return tuple(_find(name) for name in names)


class Vocabulary(Collection[str]):
    """All names that mean a factor. Those of the catalogue can be counted; any other in the domains is in it too."""

    def __contains__(self, name: object) -> bool:
        """Tell whether a name means a factor."""
        try:
            return isinstance(name, str) and declared().find(name) is not None
        except ConfigError:  # a parameter lies outside its domain
            return False

    def __iter__(self) -> Iterator[str]:
        """Go through the catalogue."""
        return iter(catalogue())

    def __len__(self) -> int:
        """Count the catalogue."""
        return len(catalogue())


def lookback_bars(names: Sequence[str]) -> int:
    """Return how many bars the named factors need together, the evaluated bar included."""
    return max((factor.lookback_bars for factor in select(names)), default=1)


def compute(panel: pd.DataFrame, names: Sequence[str], *, workers: int = 1) -> pd.DataFrame:
    """Compute factors by name.

    Parameters
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC), symbols in any order, the bars of each symbol
        ascending; columns open, high, low, close, volume, and whichever of funding, basis_bps, open_interest,
        bid_depth, ask_depth, spread_bps the factors read.
    names
        As `select` takes them.
    workers
        Threads; the result is the same bit for bit.

    Returns
    -------
    DataFrame
        One column for each name on the panel's own index; NaN while a factor warms up.

    Raises
    ------
    ConfigError
        If a name means no factor.
    ContractError
        If the panel lacks a column, or its bars are not in order.
    """
    return compute_factors(panel, select(names), workers=workers)


def compute_factors(panel: pd.DataFrame, factors: Sequence[Factor], *, workers: int = 1) -> pd.DataFrame:
    """Compute the given factors; see `compute`."""
    layout = Layout.of(panel.index)
    inputs = dict.fromkeys(name for factor in factors for name in factor.inputs)
    columns = columns_of(panel, layout, inputs)
    values = evaluate(layout, columns, [factor.expression for factor in factors], workers=workers)
    names = [factor.name for factor in factors]
    return pd.DataFrame(layout.scattered(values).T, index=panel.index, columns=names, copy=False)


@lru_cache(maxsize=4_096)
def _find(name: str) -> Factor:
    factor = declared().find(name)
    if factor is None:
        known = catalogue()
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"expected one of {len(known)} factors or another in their domains, found {name!r}{hint}"
        )
    return factor
