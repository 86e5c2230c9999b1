"""Normalisers: bring a factor to a common scale from its own past, or from the other symbols of the same bar.

None of them looks at a whole frame: a mean over all rows knows the future.
"""

from collections.abc import Callable
from dataclasses import dataclass

from quantbus_research.factors._template import Factor
from quantbus_research.factors.expressions import (
    Node,
    across_rank,
    across_zscore,
    quantile,
    rank,
    ratio,
    tanh,
    zscore,
)

__all__ = ["NORMALISERS", "Normaliser", "normalised"]


@dataclass(frozen=True, slots=True)
class Normaliser:
    """A way to rescale a factor; with a window of bars, or across symbols and without one.

    Attributes
    ----------
    name
        What follows the factor's name and two underscores, before the window.
    unit
        What one unit of the result means.
    apply
        ``(values, window) -> expression``, or ``(values) -> expression`` without a window.
    has_window
        Whether it takes one.
    """

    name: str
    unit: str
    apply: Callable[..., Node]
    has_window: bool = True


def _robust(values: Node, window: int) -> Node:
    middle, low, high = (quantile(values, window, share) for share in (0.5, 0.25, 0.75))
    return ratio(values - middle, high - low)


_ALL = (
    Normaliser("zscore", "standard deviations of the window", zscore),
    Normaliser("squash", "share, -1 to 1", lambda values, window: tanh(zscore(values, window) / 2)),
    Normaliser("robust", "distances between quartiles of the window", _robust),
    Normaliser(
        "rank",
        "place in the window, -1 lowest to 1 highest",
        lambda values, window: 2 * rank(values, window) - 1,
    ),
    Normaliser(
        "across_rank", "place among the symbols, -1 lowest to 1 highest", across_rank, has_window=False
    ),
    Normaliser("across_zscore", "standard deviations across symbols", across_zscore, has_window=False),
)
NORMALISERS: dict[str, Normaliser] = {normaliser.name: normaliser for normaliser in _ALL}
"""Every normaliser, by name."""


def normalised(factor: Factor, normaliser: Normaliser, window: int | None = None) -> Factor:
    """Return the factor on the normaliser's scale: ``rsi_14__zscore_240``, a factor like any other."""
    given = (window,) if window is not None else ()
    suffix = "_".join([normaliser.name, *map(str, given)])
    return Factor(
        name=f"{factor.name}__{suffix}",
        family=factor.family,
        unit=normaliser.unit,
        parameters={
            **factor.parameters,
            **({f"{normaliser.name}_window": window} if window is not None else {}),
        },
        expression=normaliser.apply(factor.expression, *given),
    )
