"""The laws of models, over every family, plain and calibrated."""

import subprocess
import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest

from quantbus_research.models import FAMILIES, Model, fit_model, read_model
from quantbus_research.settings import ModelSettings
from tests.unit.research.panels import MINUTE, START

ROWS = 600
KINDS = [
    kind if calibration == "none" else f"{kind}+{calibration}"
    for kind, calibration in product(FAMILIES, ("none", "sigmoid", "isotonic"))
]


def rows(seed: int = 0) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Return features, labels and when these are known; the first feature says something."""
    random = np.random.default_rng(seed)
    times = pd.date_range(START, periods=ROWS // 2, freq=MINUTE.delta)
    index = pd.MultiIndex.from_product(
        [["BINANCE:BTCUSDT", "BINANCE:ETHUSDT"], times], names=["symbol", "datetime"]
    )
    features = pd.DataFrame(random.normal(size=(ROWS, 3)), columns=["a", "b", "c"], index=index)
    labels = (features["a"] + random.normal(size=ROWS) > 0).astype(float)
    known_at = pd.Series(pd.DatetimeIndex(index.get_level_values(1)) + 3 * MINUTE.delta, index=index)
    return features, labels, known_at


def fitted(kind: str, *, threads: int = 1) -> Model:
    family, _, calibration = kind.partition("+")
    settings = ModelSettings.model_validate(
        {
            "family": family,
            "calibration": calibration or "none",
            "rounds": 20,
            "retrain_bars": 1,
            "threads": threads,
        }
    )
    return fit_model(*rows(), settings, MINUTE)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_what_is_there_and_says_it_as_a_probability(kind: str) -> None:
    features, labels, _ = rows(seed=1)
    said = fitted(kind).predict(features)
    assert said.shape == (ROWS,)
    assert ((said >= 0) & (said <= 1)).all()
    assert ((said > 0.5) == (labels > 0.5)).mean() > 0.62


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_give_the_same_bits_with_any_number_of_threads(kind: str) -> None:
    one, two = fitted(kind), fitted(kind, threads=2)
    assert one.to_text() == fitted(kind).to_text() == two.to_text()
    assert (one.predict(rows()[0]) == two.predict(rows()[0])).all()


@pytest.mark.parametrize("kind", KINDS)
def test_its_text_is_all_of_it_and_no_pickle(kind: str) -> None:
    model = fitted(kind)
    again = read_model(kind, model.to_text())
    assert again.kind == model.kind == kind
    assert again.features == model.features == ("a", "b", "c")
    assert again.to_text() == model.to_text()
    assert (again.predict(rows()[0]) == model.predict(rows()[0])).all()


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_matched_by_name_and_rows_stand_alone(kind: str) -> None:
    model, features = fitted(kind), rows()[0]
    whole = model.predict(features)
    assert (model.predict(features[["c", "b", "a"]]) == whole).all()
    assert (model.predict(features.iloc[::-1]) == whole[::-1]).all()
    assert model.predict(features.iloc[[7]])[0] == whole[7]
    assert model.predict(features.iloc[:0]).shape == (0,)
    with pytest.raises(KeyError):
        model.predict(features.drop(columns="b"))


@pytest.mark.proof
def test_the_linear_fit_does_not_depend_on_the_threads_of_the_matrix_library() -> None:
    code = (
        "from tests.conformance.test_every_model import fitted; import hashlib;"
        "print(hashlib.sha256(fitted('linear+sigmoid').to_text().encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            ["/usr/bin/env", f"OPENBLAS_NUM_THREADS={threads}", sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in (1, 2)
    }
    assert len(found) == 1
