"""What each feature added to what a model said: exact parts that add up to the model's own log odds.

Trees are explained by LightGBM itself (Shapley values along the paths of each tree), a line by weight times distance
from the training mean. A calibration curve stands behind these log odds and has no features; what it did to them is
told beside the parts, not divided among them.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.models._base import Model
from quantbus_research.models._logistic import logistic
from quantbus_research.models.calibration import Calibrated

__all__ = ["BASE", "Explainable", "Explanation", "contributions", "explain"]

BASE = "base"
"""The column of what is said before any feature is looked at."""
_ROUNDING = 1e-8


@runtime_checkable
class Explainable(Protocol):
    """A model that can tell what each feature added."""

    def contributions(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return log odds (n_rows, n_features + 1), what is said before any feature last; columns by name."""
        ...


@dataclass(frozen=True, slots=True)
class Explanation:
    """One prediction, taken apart.

    Attributes
    ----------
    base
        Log odds before any feature is looked at.
    added
        Log odds that each feature added, largest first; ``base`` and these amount to ``log_odds``.
    probability_before
        What the model itself says.
    calibration
        What the curve does, in words; None without one.
    probability
        What comes out behind the curve: what `Model.predict` says.
    """

    base: float
    added: pd.Series
    log_odds: float
    probability_before: float
    calibration: str | None
    probability: float


def contributions(model: Model, features: pd.DataFrame) -> pd.DataFrame:
    """Return what each feature added in each row, in log odds before calibration; and `BASE`, the same everywhere.

    Raises
    ------
    ConfigError
        If the model's family cannot tell.
    ArtefactError
        If the parts do not amount to what the model says.
    """
    inner = model.model if isinstance(model, Calibrated) else model
    if not isinstance(inner, Explainable):
        raise ConfigError(
            f"expected a model that tells what its features add, found the family {inner.kind!r}"
        )
    if features.empty:
        return pd.DataFrame(columns=[*inner.features, BASE], index=features.index, dtype=np.float64)
    parts = inner.contributions(features)
    apart = np.abs(logistic(parts.sum(axis=1)) - inner.predict(features)).max()
    if not apart <= _ROUNDING:
        raise ArtefactError(
            f"expected contributions that amount to what the model says, found probabilities {apart:g} apart"
        )
    return pd.DataFrame(parts, index=features.index, columns=[*inner.features, BASE])


def explain(model: Model, features: pd.DataFrame) -> Explanation:
    """Take the prediction of one row apart.

    Raises
    ------
    ConfigError
        If there is not exactly one row, or the model's family cannot tell.
    ArtefactError
        If the parts do not amount to what the model says.
    """
    if len(features) != 1:
        raise ConfigError(f"expected one row to explain, found {len(features)}")
    parts = contributions(model, features).iloc[0]
    added = parts.drop(BASE)
    inner = model.model if isinstance(model, Calibrated) else model
    return Explanation(
        base=float(parts[BASE]),
        added=added.reindex(added.abs().sort_values(ascending=False, kind="stable").index),
        log_odds=float(parts.sum()),
        probability_before=float(inner.predict(features)[0]),
        calibration=model.curve.told if isinstance(model, Calibrated) else None,
        probability=float(model.predict(features)[0]),
    )
