import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.models import LightGBMClassifier
from quantbus_research.settings import ModelSettings


def rows(count: int = 600, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(count, 3)), columns=["a", "b", "c"])
    labels = pd.Series((features["a"] + random.normal(size=count) > 0).astype(float))
    return features, labels


def settings(**given: object) -> ModelSettings:
    return ModelSettings.model_validate({"retrain_bars": 1, "rounds": 30, **given})


def test_it_learns_what_is_there() -> None:
    model = LightGBMClassifier.fit(*rows(), settings())
    features, labels = rows(seed=1)
    right = (model.predict(features) > 0.5) == (labels > 0.5)
    assert right.mean() > 0.65


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_rows_give_the_same_trees_and_scores(threads: int) -> None:
    first = LightGBMClassifier.fit(*rows(), settings(threads=threads))
    second = LightGBMClassifier.fit(*rows(), settings(threads=threads))
    assert first.to_text() == second.to_text()


def test_another_number_of_threads_gives_the_same_scores() -> None:
    one, two = (LightGBMClassifier.fit(*rows(), settings(threads=threads)) for threads in (1, 2))
    assert (one.predict(rows()[0]) == two.predict(rows()[0])).all()


def test_its_text_says_all_of_it() -> None:
    model = LightGBMClassifier.fit(*rows(), settings())
    again = LightGBMClassifier.from_text(model.to_text())
    assert (again.predict(rows()[0]) == model.predict(rows()[0])).all()
    assert again.features == ("a", "b", "c")
    assert again.describe()["trees"] == 30


def test_columns_are_matched_by_name() -> None:
    model = LightGBMClassifier.fit(*rows(), settings())
    features = rows()[0]
    turned = features[["c", "a", "b"]]
    assert (model.predict(turned) == model.predict(features)).all()
    with pytest.raises(KeyError):
        model.predict(features.drop(columns="b"))


def test_no_rows_give_no_scores() -> None:
    assert LightGBMClassifier.fit(*rows(), settings()).predict(rows()[0].iloc[:0]).shape == (0,)


def test_history_in_which_nothing_ever_falls_is_refused() -> None:
    features, labels = rows()
    with pytest.raises(ConfigError, match="expected rising and falling bars"):
        LightGBMClassifier.fit(features, labels * 0.0 + 1.0, settings())
    with pytest.raises(ConfigError, match="found 0 rows"):
        LightGBMClassifier.fit(features.iloc[:0], labels.iloc[:0], settings())


def test_a_text_that_is_no_model_is_refused() -> None:
    with pytest.raises(ArtefactError, match="LightGBM's text format"):
        LightGBMClassifier.from_text("not a model")
