"""Blends: a weighted mean of factors, brought between -1 and 1."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError

__all__ = ["Scale", "blended", "places_of"]

Scale = Literal["clip", "tanh", "rank"]


def blended(features: pd.DataFrame, weights: Mapping[str, float], *, scale: Scale = "clip") -> pd.Series:
    """Return the weighted mean of factors in each row; a weight below zero turns a factor round.

    Factors on a common scale from -1 to 1 (``…__across_rank``) stay in it. NaN where a factor is.

    Parameters
    ----------
    scale
        ``clip`` cuts the mean off at -1 and 1, ``tanh`` bends it, ``rank`` takes its place among the symbols of the
        same bar: 1 the highest, -1 the lowest, 0 where there is but one.
    """
    if not weights or not any(weights.values()):
        raise ConfigError(f"expected factors with weights other than zero, found {dict(weights)!r}")
    missing = sorted(name for name in weights if name not in features.columns)
    if missing:
        raise ConfigError(
            f"expected the factors {', '.join(missing)} among those computed, found "
            f"{', '.join(map(str, features.columns))}"
        )
    whole = sum(abs(weight) for weight in weights.values())
    total = np.zeros(len(features))
    for name, weight in weights.items():
        total += weight / whole * features[name].to_numpy(np.float64)
    mean = pd.Series(total, index=features.index, name="score")
    if scale == "rank":
        return places_of(mean)
    return mean.clip(-1.0, 1.0) if scale == "clip" else pd.Series(np.tanh(mean), name="score")


def places_of(values: pd.Series) -> pd.Series:
    """Return the place of each value among those of its bar, -1 lowest to 1 highest; 0 where it is the only one."""
    bars = values.groupby(level=1, sort=False)
    others = bars.transform("count") - 1.0
    below = bars.rank(method="average") - 1.0
    places = (2.0 * below / others.where(others > 0) - 1.0).where(others > 0, 0.0)
    return places.where(values.notna()).rename("score")
