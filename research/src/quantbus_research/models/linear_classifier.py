"""A linear classifier: logistic regression on standardised factors, the yardstick for anything cleverer."""

import json
from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from quantbus_contracts.errors import ArtefactError
from quantbus_research.models._base import require_both_outcomes
from quantbus_research.models._logistic import fit_logistic, logistic
from quantbus_research.settings import ModelSettings

__all__ = ["LinearClassifier"]


class _Line(BaseModel):
    """The text format: one number of each kind a feature."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: int = 1
    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if {len(self.means), len(self.scales), len(self.weights)} != {len(self.features)}:
            raise ValueError("expected one mean, scale and weight a feature")
        if self.format != 1 or not all(scale > 0 for scale in self.scales):
            raise ValueError("expected format 1, and scales above zero")
        return self


class LinearClassifier:
    """A fitted line."""

    kind = "linear"

    def __init__(self, line: _Line) -> None:
        """Wrap what was fitted; use `fit` or `from_text`."""
        self._line = line

    @classmethod
    def fit(cls, features: pd.DataFrame, labels: pd.Series, settings: ModelSettings) -> Self:
        """Fit on rows in any order; labels are 0.0 or 1.0. ``settings.l2`` is the penalty on squared weights.

        Raises
        ------
        ConfigError
            If there are no rows, or only one of the two outcomes occurs in them.
        """
        require_both_outcomes(labels)
        values = features.to_numpy(np.float64)
        means, spread = values.mean(axis=0), values.std(axis=0)
        scales = np.where(spread > 1e-12 * np.maximum(np.abs(means), 1.0), spread, 1.0)
        weights, intercept = fit_logistic(
            (values - means) / scales, labels.to_numpy(np.float64), l2=settings.l2
        )
        return cls(
            _Line(
                features=tuple(map(str, features.columns)),
                means=tuple(means.tolist()),
                scales=tuple(scales.tolist()),
                weights=tuple(weights.tolist()),
                intercept=intercept,
            )
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` gave.

        Raises
        ------
        ArtefactError
            If it is something else.
        """
        try:
            return cls(_Line.model_validate_json(text))
        except ValidationError as error:
            raise ArtefactError(f"expected a linear model as JSON: {error}") from error

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it was fitted on, in order."""
        return self._line.features

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of a rise for each row (n_rows,); columns are matched by name."""
        if features.empty:
            return np.empty(0)
        # Summed row by row, so that a row alone gives the same bits as among others.
        scores = np.array([row.sum() for row in self._weighed(features)])
        return logistic(scores + self._line.intercept)

    def contributions(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return what each feature added to the log odds (n_rows, n_features + 1), the intercept last."""
        weighed = self._weighed(features)
        return np.column_stack([weighed, np.full(len(weighed), self._line.intercept)])

    def _weighed(self, features: pd.DataFrame) -> NDArray[np.float64]:
        line = self._line
        values = features.loc[:, list(line.features)].to_numpy(np.float64)
        standard = (values - np.array(line.means)) / np.array(line.scales)
        return np.asarray(standard * np.array(line.weights), dtype=np.float64)

    def to_text(self) -> str:
        """Return it as JSON; numbers are written so that they come back bit for bit."""
        return json.dumps(self._line.model_dump(mode="json"), indent=1) + "\n"

    def describe(self) -> Mapping[str, str | int | float]:
        """Return the family, its size, and the feature that weighs most."""
        line = self._line
        heaviest = max(zip(line.weights, line.features, strict=True), key=lambda pair: abs(pair[0]))
        return {
            "kind": self.kind,
            "features": len(line.features),
            "heaviest": f"{heaviest[1]} {heaviest[0]:+.4f}",
        }
