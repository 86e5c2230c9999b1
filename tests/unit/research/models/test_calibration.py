import json

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import IsotonicRegression

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.models import SigmoidCurve, curve_of, fit_model, read_model
from quantbus_research.models.calibration import scores_out_of_sample
from quantbus_research.models.lightgbm_classifier import LightGBMClassifier
from tests.unit.research.models.test_lightgbm_classifier import settings
from tests.unit.research.panels import MINUTE, START


def overconfident(count: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    """Scores that go twice as far from even odds as what comes, in log odds."""
    random = np.random.default_rng(3)
    odds = random.normal(size=count)
    came = (random.uniform(size=count) < 1 / (1 + np.exp(-odds))).astype(float)
    return 1 / (1 + np.exp(-2 * odds)), came


def timed_rows(count: int = 600) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    random = np.random.default_rng(0)
    times = pd.date_range(START, periods=count, freq=MINUTE.delta)
    index = pd.MultiIndex.from_product([["BINANCE:BTCUSDT"], times], names=["symbol", "datetime"])
    features = pd.DataFrame(random.normal(size=(count, 2)), columns=["a", "b"], index=index)
    labels = (features["a"] + random.normal(size=count) > 0).astype(float)
    return features, labels, pd.Series(times + 4 * MINUTE.delta, index=index)


def test_a_sigmoid_takes_overconfidence_back() -> None:
    curve = curve_of("sigmoid", *overconfident())
    assert isinstance(curve, SigmoidCurve)
    assert curve.slope == pytest.approx(0.5, abs=0.05)
    assert curve.intercept == pytest.approx(0.0, abs=0.1)


def test_isotonic_steps_are_those_of_scikit_learn() -> None:
    said, came = overconfident(500)
    expected = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(said, came).predict(said)
    assert curve_of("isotonic", said, came).apply(said) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
def test_scores_that_are_worse_than_nothing_are_not_turned_around(kind: str) -> None:
    said, came = overconfident(1_000)
    curve = curve_of(kind, 1.0 - said, came)  # type: ignore[arg-type] # one of two words
    ladder = curve.apply(np.linspace(0.0, 1.0, 101))
    assert (np.diff(ladder) >= 0).all()
    assert ladder[50] == pytest.approx(came.mean(), abs=0.1)


def test_too_few_rows_or_one_outcome_do_not_calibrate() -> None:
    said, came = overconfident(49)
    with pytest.raises(ConfigError, match="at least 50 rows out of sample"):
        curve_of("sigmoid", said, came)
    with pytest.raises(ConfigError, match="found 100 with 0 rising"):
        curve_of("isotonic", np.linspace(0, 1, 100), np.zeros(100))


def test_no_model_scores_bars_whose_labels_overlap_what_it_learnt() -> None:
    features, labels, known_at = timed_rows()
    calls: list[pd.Timestamp] = []

    def fit(rows: pd.DataFrame, outcomes: pd.Series) -> LightGBMClassifier:
        calls.append(known_at[rows.index].max())
        return LightGBMClassifier.fit(rows, outcomes, settings())

    said, came = scores_out_of_sample(
        fit, features, labels, known_at, timeframe=MINUTE, folds=5, embargo_bars=0
    )
    assert len(said) == len(came) == 500  # all but the oldest of six parts
    starts = [pd.Timestamp(START) + 100 * fold * MINUTE.delta for fold in range(1, 6)]
    assert [start - latest for start, latest in zip(starts, calls, strict=True)] == [pd.Timedelta(0)] * 5


@pytest.mark.parametrize("kind", ["lightgbm", "linear"])
@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_a_calibrated_model_comes_back_from_its_text_bit_for_bit(kind: str, calibration: str) -> None:
    features, labels, known_at = timed_rows()
    asked = settings(family=kind, calibration=calibration)
    model = fit_model(features, labels, known_at, asked, MINUTE)
    assert model.kind == f"{kind}+{calibration}"
    again = read_model(model.kind, model.to_text())
    assert (again.predict(features) == model.predict(features)).all()
    assert again.to_text() == model.to_text()
    assert again.describe() == model.describe()


def test_a_calibrated_text_that_was_bent_is_refused() -> None:
    model = fit_model(*timed_rows(), settings(family="linear", calibration="isotonic"), MINUTE)
    told = json.loads(model.to_text())
    told["calibration"]["probabilities"][0] = 1.0
    for text in (json.dumps(told), "{}", "not json"):
        with pytest.raises(ArtefactError):
            read_model(model.kind, text)


@pytest.mark.parametrize("kind", ["forest", "lightgbm+magic", "", "linear+"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(ArtefactError):
        read_model(kind, "{}")
