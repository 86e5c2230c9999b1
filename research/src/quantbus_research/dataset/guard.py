"""Refuses a split whose training labels reach into what it is tested on."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ConfigError

__all__ = ["overlapping", "refuse_overlap"]

Mask = NDArray[np.bool_]


def overlapping(known_at: pd.Series, train: Mask, test: Mask) -> Mask:
    """Say which training rows share a moment with a test row.

    A row takes the time from its bar's open to the moment its label is known: what happens in between decides the
    label. Two rows that only touch share nothing.

    Parameters
    ----------
    known_at
        When each row's label became known; indexed by (symbol, datetime = bar open time).
    train, test
        Boolean masks on its rows.
    """
    begins = pd.DatetimeIndex(known_at.index.get_level_values(1)).as_unit("ns").asi8
    ends = pd.DatetimeIndex(known_at).as_unit("ns").asi8
    result = np.zeros(len(begins), dtype=bool)
    if not (train.any() and test.any()):
        return result
    order = np.argsort(begins[test], kind="stable")
    test_begins = begins[test][order]
    latest_end = np.maximum.accumulate(ends[test][order])
    # The test rows that begin before a training row ends; does the latest of their ends lie after its beginning?
    before = np.searchsorted(test_begins, ends[train], side="left")
    result[train] = (before > 0) & (latest_end[np.maximum(before - 1, 0)] > begins[train])
    return result


def refuse_overlap(known_at: pd.Series, train: Mask, test: Mask) -> None:
    """Let a sound split pass.

    Raises
    ------
    ConfigError
        If a row is in both parts, has no label, or a training row's label overlaps the test; the first is named.
    """
    for rows, why in (
        (train & test, "trains and tests"),
        ((train | test) & known_at.isna().to_numpy(), "has no label that is known"),
        (
            overlapping(known_at, train, test),
            "has a label that was not known before the test began, or begins inside it",
        ),
    ):
        if rows.any():
            symbol, opened = known_at.index[int(np.argmax(rows))]
            raise ConfigError(
                f"expected training labels apart from the test period, but {int(rows.sum())} rows overlap: "
                f"the one of {symbol} at {pd.Timestamp(opened).isoformat()} {why}; "
                "purge by the moment labels are known, as the splits of quantbus_research.dataset do"
            )
