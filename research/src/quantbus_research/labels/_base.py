"""What a label is: the value to be learnt, and the instant at which it becomes known."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from quantbus_contracts.timeframe import Timeframe

__all__ = ["LabelKind", "Labels"]


@dataclass(frozen=True, slots=True)
class Labels:
    """Values of one label on a panel's index.

    Attributes
    ----------
    values
        Float, NaN where the label does not exist (yet).
    known_at
        The instant (UTC) from which the value may be used; NaT exactly where the value is NaN.
    """

    values: pd.Series
    known_at: pd.Series

    def known_by(self, moment: pd.Timestamp) -> pd.Series:
        """Return the values that are known at ``moment``; all others are NaN."""
        return self.values.where(self.known_at <= moment)


@dataclass(frozen=True, slots=True)
class LabelKind:
    """A kind of label as the catalogue lists it.

    Attributes
    ----------
    name
        As recipes spell it.
    unit
        What the values mean.
    known
        When a value becomes known, in words; each value says it as an instant.
    compute
        ``(panel, timeframe, horizon_bars, **options) -> Labels``.
    """

    name: str
    unit: str
    known: str
    compute: Callable[..., Labels]

    def __call__(
        self, panel: pd.DataFrame, timeframe: Timeframe, horizon_bars: int, **options: object
    ) -> Labels:
        """Compute the labels of a panel."""
        return self.compute(panel, timeframe, horizon_bars, **options)
