"""What features added amounts to what the model said, whatever its family and curve."""

from typing import Literal

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.models import (
    BASE,
    Calibrated,
    LightGBMClassifier,
    Model,
    SigmoidCurve,
    contributions,
    explain,
)
from quantbus_research.models import fit_model as fit
from tests.unit.research.models.test_calibration import timed_rows
from tests.unit.research.models.test_lightgbm_classifier import settings
from tests.unit.research.panels import MINUTE

FEATURES, LABELS, KNOWN_AT = timed_rows()
Kind = Literal["none", "sigmoid", "isotonic"]


def fitted(family: str, calibration: Kind) -> Model:
    return fit(FEATURES, LABELS, KNOWN_AT, settings(family=family, calibration=calibration), MINUTE)


@pytest.mark.parametrize("calibration", ["none", "sigmoid", "isotonic"])
@pytest.mark.parametrize("family", ["lightgbm", "linear"])
def test_the_parts_amount_to_the_log_odds_and_the_curve_stands_behind_them(
    family: str, calibration: Kind
) -> None:
    model = fitted(family, calibration)
    row = FEATURES.iloc[[7]]
    told = explain(model, row)
    assert told.base + told.added.sum() == pytest.approx(told.log_odds, abs=1e-12)
    assert told.probability_before == pytest.approx(1 / (1 + np.exp(-told.log_odds)), abs=1e-9)
    assert told.probability == model.predict(row)[0]
    if calibration == "none":
        assert (told.calibration, told.probability) == (None, told.probability_before)
    else:
        assert told.calibration is not None
        assert told.calibration.startswith(calibration)
        assert told.probability != told.probability_before
    assert told.added.abs().is_monotonic_decreasing


@pytest.mark.parametrize("family", ["lightgbm", "linear"])
def test_the_feature_that_decides_is_the_one_that_the_labels_follow(family: str) -> None:
    parts = contributions(fitted(family, "none"), FEATURES)
    assert parts[BASE].nunique() == 1
    assert parts["a"].abs().mean() > 3 * parts["b"].abs().mean()
    assert np.corrcoef(parts["a"], FEATURES["a"])[0, 1] > 0.8


def test_columns_are_matched_by_name_and_no_rows_give_none() -> None:
    model = fitted("lightgbm", "sigmoid")
    turned = contributions(model, FEATURES[["b", "a"]])
    pd.testing.assert_frame_equal(turned, contributions(model, FEATURES))
    assert contributions(model, FEATURES.iloc[:0]).empty


def test_a_curve_that_is_worth_nothing_says_so() -> None:
    model = Calibrated(fitted("linear", "none"), SigmoidCurve(slope=0.0, intercept=0.4))
    assert explain(model, FEATURES.iloc[[0]]).calibration == "sigmoid: says 0.5987 whatever the model says"


class Lying(LightGBMClassifier):
    def contributions(self, features: pd.DataFrame) -> np.ndarray:
        return super().contributions(features) * 1.1


class Mute:
    kind, features = "mute", ("a", "b")

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        return np.full(len(features), 0.5)

    def to_text(self) -> str:
        return ""

    def describe(self) -> dict[str, str | int | float]:
        return {}


def test_parts_that_do_not_add_up_and_models_that_cannot_tell_are_refused() -> None:
    with pytest.raises(ArtefactError, match="amount to what the model says"):
        explain(Lying.fit(FEATURES, LABELS, settings()), FEATURES.iloc[[0]])
    with pytest.raises(ConfigError, match="found the family 'mute'"):
        explain(Mute(), FEATURES.iloc[[0]])
    with pytest.raises(ConfigError, match="expected one row to explain, found 600"):
        explain(fitted("linear", "none"), FEATURES)
