"""Gradient-boosted trees: LightGBM's binary classifier, held to one result for one input."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ArtefactError
from quantbus_research.models._base import require_both_outcomes
from quantbus_research.settings import ModelSettings

__all__ = ["LightGBMClassifier"]

_THREADS = re.compile(r"^\[num_threads: \d+\]$", re.MULTILINE)


class LightGBMClassifier:
    """A fitted booster."""

    kind = "lightgbm"

    def __init__(self, booster: Any) -> None:  # noqa: ANN401 - LightGBM has no type information
        """Wrap a booster; use `fit` or `from_text`."""
        self._booster = booster

    @classmethod
    def fit(cls, features: pd.DataFrame, labels: pd.Series, settings: ModelSettings) -> Self:
        """Fit on rows in the given order; labels are 0.0 or 1.0.

        Raises
        ------
        ConfigError
            If there are no rows, or only one of the two outcomes occurs in them.
        """
        require_both_outcomes(labels)
        data = lgb.Dataset(
            features.to_numpy(np.float64),
            label=labels.to_numpy(np.float64),
            feature_name=list(features.columns),
        )
        return cls(lgb.train(_parameters(settings), data, num_boost_round=settings.rounds))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read LightGBM's text format.

        Raises
        ------
        ArtefactError
            If LightGBM does not accept it.
        """
        try:
            return cls(lgb.Booster(model_str=text))
        except lgb.basic.LightGBMError as error:
            raise ArtefactError(f"expected a model in LightGBM's text format: {error}") from error

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it was fitted on, in order."""
        return tuple(self._booster.feature_name())

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of a rise for each row (n_rows,); columns are matched by name."""
        if features.empty:
            return np.empty(0)
        values = features.loc[:, list(self.features)].to_numpy(np.float64)
        return np.asarray(self._booster.predict(values, num_threads=1), dtype=np.float64)

    def contributions(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return what each feature added to the log odds (n_rows, n_features + 1), the trees' mean last."""
        values = features.loc[:, list(self.features)].to_numpy(np.float64)
        return np.asarray(self._booster.predict(values, pred_contrib=True, num_threads=1), dtype=np.float64)

    def to_text(self) -> str:
        """Return LightGBM's text format, without the number of threads: it says nothing about the model."""
        return _THREADS.sub("[num_threads: 0]", str(self._booster.model_to_string()))

    def describe(self) -> Mapping[str, str | int | float]:
        """Return the family, its version and size."""
        return {"kind": self.kind, "lightgbm": version("lightgbm"), "trees": int(self._booster.num_trees())}


def _parameters(settings: ModelSettings) -> dict[str, object]:
    return {
        "objective": "binary",
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": settings.min_rows_in_leaf,
        "feature_fraction": settings.feature_share,
        "lambda_l2": settings.l2,
        "seed": settings.seed,
        # Together these make the result the same bit for bit, also with another number of threads.
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": settings.threads,
        "verbosity": -1,
    }
