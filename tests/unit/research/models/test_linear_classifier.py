import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.models import LinearClassifier
from tests.unit.research.models.test_lightgbm_classifier import rows, settings


def test_it_is_logistic_regression_on_standardised_columns() -> None:
    features, labels = rows()
    found = LinearClassifier.fit(features, labels, settings(l2=1.0))
    standard = (features - features.mean()) / features.std(ddof=0)
    judge = LogisticRegression(C=1.0, tol=1e-12, max_iter=1_000).fit(standard.to_numpy(), labels)
    expected = judge.predict_proba(standard.to_numpy())[:, 1]
    assert found.predict(features) == pytest.approx(expected, abs=1e-6)


def test_a_row_alone_scores_as_it_does_among_others() -> None:
    features, labels = rows()
    model = LinearClassifier.fit(features, labels, settings())
    alone = [model.predict(features.iloc[[row]])[0] for row in range(20)]
    assert alone == model.predict(features)[:20].tolist()


def test_a_column_that_never_changes_weighs_nothing() -> None:
    features, labels = rows()
    model = LinearClassifier.fit(features.assign(c=0.1), labels, settings())
    assert json.loads(model.to_text())["weights"][2] == 0.0
    assert np.isfinite(model.predict(features)).all()


def test_rows_that_a_column_splits_cleanly_end_in_finite_weights() -> None:
    features = pd.DataFrame({"a": np.linspace(-1, 1, 100)})
    labels = (features["a"] > 0).astype(float)
    model = LinearClassifier.fit(features, labels, settings(l2=0.0))
    assert np.isfinite(json.loads(model.to_text())["weights"]).all()
    assert ((model.predict(features) > 0.5) == (labels > 0.5)).all()


def test_history_in_which_nothing_ever_falls_is_refused() -> None:
    features, labels = rows()
    with pytest.raises(ConfigError, match="expected rising and falling bars"):
        LinearClassifier.fit(features, labels * 0.0 + 1.0, settings())


@pytest.mark.parametrize(
    "change", [{"weights": [1.0]}, {"scales": [0.0, 1.0, 1.0]}, {"intercept": None}, {"format": 2}, {"x": 1}]
)
def test_a_text_that_does_not_fit_together_is_refused(change: dict[str, object]) -> None:
    told = json.loads(LinearClassifier.fit(*rows(), settings()).to_text())
    with pytest.raises(ArtefactError, match="linear model as JSON"):
        LinearClassifier.from_text(json.dumps(told | change))
