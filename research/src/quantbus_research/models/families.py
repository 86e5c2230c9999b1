"""The families of models: how each is fitted, and read from its text."""

from collections.abc import Mapping

import pandas as pd

from quantbus_contracts.errors import ArtefactError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.models._base import Model
from quantbus_research.models.calibration import Calibrated, curve_of, scores_out_of_sample
from quantbus_research.models.lightgbm_classifier import LightGBMClassifier
from quantbus_research.models.linear_classifier import LinearClassifier
from quantbus_research.settings import ModelSettings

__all__ = ["FAMILIES", "fit_model", "read_model"]

FAMILIES: Mapping[str, type[LightGBMClassifier] | type[LinearClassifier]] = {
    family.kind: family for family in (LightGBMClassifier, LinearClassifier)
}
"""By the name that recipes use."""


def fit_model(
    features: pd.DataFrame,
    labels: pd.Series,
    known_at: pd.Series,
    settings: ModelSettings,
    timeframe: Timeframe,
) -> Model:
    """Fit the family that the settings name, and calibrate it where they say so.

    Parameters
    ----------
    features, labels, known_at
        On one index (symbol, datetime = bar open time); labels are 0.0 or 1.0.

    Raises
    ------
    ConfigError
        If there are too few rows, or only one of the two outcomes occurs in them.
    """
    family = FAMILIES[settings.family]

    def fit(rows: pd.DataFrame, outcomes: pd.Series) -> Model:
        return family.fit(rows, outcomes, settings)

    model = fit(features, labels)
    if settings.calibration == "none":
        return model
    said, came = scores_out_of_sample(
        fit,
        features,
        labels,
        known_at,
        timeframe=timeframe,
        folds=settings.calibration_folds,
        embargo_bars=settings.embargo_bars,
    )
    return Calibrated(model, curve_of(settings.calibration, said, came))


def read_model(kind: str, text: str) -> Model:
    """Read a model of ``kind`` (``lightgbm``, ``linear+sigmoid``) from its text.

    Raises
    ------
    ArtefactError
        If the kind is unknown, or the text is not one of it.
    """
    family, _, calibration = kind.partition("+")
    if family not in FAMILIES or calibration not in ("", "sigmoid", "isotonic"):
        known = " or ".join(sorted(FAMILIES))
        raise ArtefactError(f"expected a {known} model, calibrated or not, found {kind!r}")
    model: Model = Calibrated.from_text(text, read_model) if calibration else FAMILIES[family].from_text(text)
    if model.kind != kind:
        raise ArtefactError(f"expected a model of kind {kind!r}, found one of {model.kind!r}")
    return model
