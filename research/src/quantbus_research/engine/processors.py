"""Qlib processors that take one pass where Qlib's own take one for every bar.

On hourly bars Qlib's cross-sectional ones group by time and apply a function to each group; these do the same
arithmetic on the whole table at once. Each row is only ever compared with rows of its own bar.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from qlib.data.dataset.processor import Processor, get_group_columns

__all__ = ["CrossSectionZScore", "DropIncomplete", "FillWithMiddle"]


class CrossSectionZScore(Processor):  # type: ignore[misc]  # Qlib is untyped
    """Subtract the mean of each bar's cross-section and divide by its standard deviation."""

    def __init__(self, fields_group: str | None = None) -> None:
        """Change the columns of ``fields_group`` (``feature`` or ``label``); all of them where it is None."""
        self.fields_group = fields_group

    def __call__(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the table with the columns scaled; NaN where all of a bar are equal."""
        columns = _columns(df, self.fields_group)
        bars = df[columns].groupby(level="datetime", sort=False)
        spread = bars.transform("std")
        df[columns] = (df[columns] - bars.transform("mean")) / spread.where(spread > 0)
        return df

    def is_for_infer(self) -> bool:
        """Say that it needs no label."""
        return self.fields_group != "label"

    def readonly(self) -> bool:
        """Say that it writes into the table it is given."""
        return False


class DropIncomplete(Processor):  # type: ignore[misc]
    """Drop rows of which a column of the group is missing or infinite."""

    def __init__(self, fields_group: str | None = "feature") -> None:
        """Look at the columns of ``fields_group``."""
        self.fields_group = fields_group

    def __call__(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that are whole."""
        values = df[_columns(df, self.fields_group)].to_numpy(np.float64)
        whole: pd.DataFrame = df.loc[np.isfinite(values).all(axis=1)]
        return whole

    def is_for_infer(self) -> bool:
        """Say that it needs no label."""
        return self.fields_group != "label"

    def readonly(self) -> bool:
        """Say that it leaves the table it is given as it is."""
        return True


class FillWithMiddle(Processor):  # type: ignore[misc]
    """Put 0, the middle of what is scaled, where a value is missing or infinite."""

    def __init__(self, fields_group: str | None = "feature") -> None:
        """Change the columns of ``fields_group``."""
        self.fields_group = fields_group

    def __call__(self, df: pd.DataFrame) -> pd.DataFrame:
        """Return the table without holes."""
        columns = _columns(df, self.fields_group)
        values = df[columns]
        df[columns] = values.where(np.isfinite(values.to_numpy(np.float64)), 0.0)
        return df

    def readonly(self) -> bool:
        """Say that it writes into the table it is given."""
        return False


def _columns(df: pd.DataFrame, group: str | None) -> Sequence[object]:
    found: Sequence[object] = get_group_columns(df, group)
    return found
