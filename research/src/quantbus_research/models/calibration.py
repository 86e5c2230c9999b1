"""Calibration: a model's scores turned into probabilities that mean what they say.

The curve is fitted on scores that the model's own family gave to bars it had not seen: folds go forward in time, and
rows whose label reaches into a test are left out of its training. The model itself is then fitted on all rows.
"""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from sklearn.isotonic import IsotonicRegression

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import expanding
from quantbus_research.models._base import Model
from quantbus_research.models._logistic import fit_logistic, logistic, logit

__all__ = ["Calibrated", "IsotonicCurve", "SigmoidCurve", "curve_of", "scores_out_of_sample"]

Floats = NDArray[np.float64]
_LEAST_ROWS = 50


class _Curve(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SigmoidCurve(_Curve):
    """Platt's: a straight line through log odds."""

    kind: Literal["sigmoid"] = "sigmoid"
    slope: Annotated[float, Field(ge=0)]
    intercept: float

    @property
    def told(self) -> str:
        """What it does, in words."""
        if not self.slope:
            return f"sigmoid: says {logistic(np.array([self.intercept]))[0]:.4f} whatever the model says"
        return f"sigmoid: log odds × {self.slope:.4g} {'-' if self.intercept < 0 else '+'} {abs(self.intercept):.4g}"

    def apply(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities."""
        return logistic(self.slope * logit(probabilities) + self.intercept)


class IsotonicCurve(_Curve):
    """Steps that never go down; between their corners straight."""

    kind: Literal["isotonic"] = "isotonic"
    scores: Annotated[tuple[float, ...], Field(min_length=1)]
    probabilities: tuple[Annotated[float, Field(ge=0, le=1)], ...]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if len(self.scores) != len(self.probabilities):
            raise ValueError("expected a probability for each score")
        if any((np.diff(side) < 0).any() for side in (self.scores, self.probabilities)):
            raise ValueError("expected scores and probabilities that never go down")
        return self

    @property
    def told(self) -> str:
        """What it does, in words."""
        return f"isotonic: {len(self.scores)} corners from {self.probabilities[0]:.4f} to {self.probabilities[-1]:.4f}"

    def apply(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities; outside the corners that of the nearest."""
        return np.interp(probabilities, self.scores, self.probabilities)


Curve = Annotated[SigmoidCurve | IsotonicCurve, Field(discriminator="kind")]
_CURVE: TypeAdapter[SigmoidCurve | IsotonicCurve] = TypeAdapter(Curve)


class Calibrated:
    """A model behind a curve. No curve turns the order of scores around."""

    def __init__(self, model: Model, curve: SigmoidCurve | IsotonicCurve) -> None:
        """Put ``curve`` behind ``model``."""
        self._model = model
        self._curve = curve

    @classmethod
    def from_text(cls, text: str, read: Callable[[str, str], Model]) -> Self:
        """Read what `to_text` gave; ``read(kind, text)`` reads the model inside.

        Raises
        ------
        ArtefactError
            If it is something else.
        """
        try:
            told = json.loads(text)
            kind, inside, curve = told["kind"], told["model"], _CURVE.validate_python(told["calibration"])
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise ArtefactError(f"expected a calibrated model as JSON: {error}") from error
        return cls(read(str(kind), str(inside)), curve)

    @property
    def model(self) -> Model:
        """The model before the curve."""
        return self._model

    @property
    def curve(self) -> SigmoidCurve | IsotonicCurve:
        """What stands behind it."""
        return self._curve

    @property
    def kind(self) -> str:
        """The family, and how it is calibrated."""
        return f"{self._model.kind}+{self._curve.kind}"

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it was fitted on, in order."""
        return self._model.features

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return the probability of a rise for each row (n_rows,); columns are matched by name."""
        return self._curve.apply(self._model.predict(features))

    def to_text(self) -> str:
        """Return it as JSON, the model inside in its own text format."""
        told = {
            "format": 1,
            "kind": self._model.kind,
            "calibration": self._curve.model_dump(mode="json"),
            "model": self._model.to_text(),
        }
        return json.dumps(told, indent=1) + "\n"

    def describe(self) -> Mapping[str, str | int | float]:
        """Return what the model says of itself, and the curve."""
        curve = self._curve
        told: dict[str, str | int | float] = {**self._model.describe(), "calibration": curve.kind}
        if isinstance(curve, SigmoidCurve):
            return {**told, "calibration_slope": curve.slope, "calibration_intercept": curve.intercept}
        return {**told, "calibration_steps": len(curve.scores)}


def curve_of(
    kind: Literal["sigmoid", "isotonic"], probabilities: Floats, outcomes: Floats
) -> SigmoidCurve | IsotonicCurve:
    """Fit a curve to what was predicted and what came (0.0 or 1.0).

    Raises
    ------
    ConfigError
        If there are fewer than 50 rows, or only one of the two outcomes.
    """
    risen = float((outcomes > 0.5).sum())
    if len(outcomes) < _LEAST_ROWS or risen in (0.0, float(len(outcomes))):
        raise ConfigError(
            f"expected at least {_LEAST_ROWS} rows out of sample, rising and falling, to calibrate on, found "
            f'{len(outcomes)} with {risen:.0f} rising; give more history, or model.calibration = "none"'
        )
    if kind == "isotonic":
        steps = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(probabilities, outcomes)
        return IsotonicCurve(
            scores=tuple(steps.X_thresholds_.tolist()), probabilities=tuple(steps.y_thresholds_.tolist())
        )
    fallen = len(outcomes) - risen
    # Platt's targets: as if one more of each had been seen, so that no probability becomes certain.
    targets = np.where(outcomes > 0.5, (risen + 1.0) / (risen + 2.0), 1.0 / (fallen + 2.0))
    slope, intercept = fit_logistic(logit(probabilities)[:, None], targets, l2=0.0)
    if slope[0] >= 0:
        return SigmoidCurve(slope=float(slope[0]), intercept=intercept)
    # Worse than nothing out of sample: say how often bars rise, rather than the opposite of the model.
    return SigmoidCurve(slope=0.0, intercept=float(logit(np.array([targets.mean()]))[0]))


def scores_out_of_sample(
    fit: Callable[[pd.DataFrame, pd.Series], Model],
    features: pd.DataFrame,
    labels: pd.Series,
    known_at: pd.Series,
    *,
    timeframe: Timeframe,
    folds: int,
    embargo_bars: int,
) -> tuple[Floats, Floats]:
    """Return what models fitted on all bars before a fold say of it, and what came; all folds but the oldest.

    Rows are those of ``features``, indexed by (symbol, datetime); the calendar is cut into ``folds + 1`` equal parts.
    """
    times = pd.DatetimeIndex(known_at.index.get_level_values(1))
    span = (times.max() - times.min()).total_seconds() if len(times) else 0.0
    size = max(1, int(span / timeframe.seconds + 1) // (folds + 1))
    said, came = [np.empty(0)], [np.empty(0)]
    for fold in expanding(known_at, timeframe, train_bars=size, test_bars=size, embargo_bars=embargo_bars):
        if labels[fold.train].nunique() < 2 or not fold.test.any():
            continue
        model = fit(features[fold.train], labels[fold.train])
        said.append(model.predict(features[fold.test]))
        came.append(labels[fold.test].to_numpy(np.float64))
    return np.concatenate(said), np.concatenate(came)
