"""Blends: a weighted mean of factors that are on one scale."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError

__all__ = ["blended"]


def blended(features: pd.DataFrame, weights: Mapping[str, float]) -> pd.Series:
    """Return the weighted mean of factors in each row, held to -1..1; a weight below zero turns a factor round.

    Factors on a common scale from -1 to 1 (``…__across_rank``) stay in it. NaN where a factor is.
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
    return pd.Series(np.clip(total, -1.0, 1.0), index=features.index, name="score")
