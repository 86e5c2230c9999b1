"""What a label is: the value to be learnt, and the instant at which it becomes known."""

from dataclasses import dataclass

import pandas as pd

__all__ = ["Labels"]


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
