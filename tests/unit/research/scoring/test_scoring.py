import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.scoring import Vote, blended, scored_by, voted
from quantbus_research.settings.nodes import ScoreSettings

NAN = float("nan")


def features(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_all_votes_make_one_none_makes_minus_one_and_weights_count_in_between() -> None:
    seen = features(trend=[1.0, 1.0, -1.0, -1.0], calm=[0.1, 0.9, 0.1, 0.9])
    scores = voted(seen, [Vote("trend", above=0.0, weight=3.0), Vote("calm", below=0.5)])
    assert scores.tolist() == [1.0, 0.5, -0.5, -1.0]


def test_a_vote_with_two_bounds_holds_between_them_and_not_on_them() -> None:
    scores = voted(features(rsi=[30.0, 30.1, 69.9, 70.0]), [Vote("rsi", above=30.0, below=70.0)])
    assert scores.tolist() == [-1.0, 1.0, 1.0, -1.0]


def test_nothing_counts_where_a_required_vote_does_not_hold() -> None:
    seen = features(trend=[1.0, 1.0], fast=[1.0, -1.0])
    scores = voted(seen, [Vote("trend", above=0.0, weight=9.0), Vote("fast", above=0.0, required=True)])
    assert scores.tolist() == [1.0, -1.0]


def test_what_is_not_known_is_no_vote_against() -> None:
    seen = features(trend=[1.0, NAN, NAN], fast=[1.0, 1.0, -1.0])
    scores = voted(seen, [Vote("trend", above=0.0), Vote("fast", above=0.0, required=True)])
    assert np.isnan(scores.to_numpy()).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "expected a vote with above or below"),
        ({"above": 1.0, "below": 1.0}, "less than below"),
        ({"above": 0.0, "weight": 0.0}, "weight above zero"),
    ],
)
def test_a_vote_that_can_never_count_is_refused(given: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Vote("trend", **given)  # type: ignore[arg-type]


def test_a_blend_is_the_weighted_mean_and_a_negative_weight_turns_round() -> None:
    seen = features(a=[1.0, -1.0, 0.5], b=[1.0, 1.0, NAN])
    scores = blended(seen, {"a": 3.0, "b": -1.0})
    assert scores.tolist()[:2] == [0.5, -1.0]
    assert np.isnan(scores.iloc[2])


def test_a_blend_of_factors_on_another_scale_is_held_to_what_a_signal_may_say() -> None:
    assert blended(features(a=[7.0, -7.0]), {"a": 1.0}).tolist() == [1.0, -1.0]


def test_a_rank_is_the_place_among_the_symbols_of_the_same_bar() -> None:
    index = pd.MultiIndex.from_product([["A", "B", "C"], [1, 2]], names=["symbol", "datetime"])
    seen = pd.DataFrame({"a": [5.0, NAN, 7.0, 1.0, 6.0, NAN]}, index=index)
    scores = blended(seen, {"a": 1.0}, scale="rank")
    assert scores.iloc[[0, 2, 4]].tolist() == [-1.0, 1.0, 0.0]
    assert scores.iloc[3] == 0.0, "nobody to be compared with"
    assert scores.iloc[[1, 5]].isna().all()
    assert blended(seen, {"a": -1.0}, scale="rank").iloc[[0, 2, 4]].tolist() == [1.0, -1.0, 0.0]


def test_a_tangent_bends_what_a_clip_would_cut_off() -> None:
    bent = blended(features(a=[0.0, 2.0, 3.0]), {"a": 1.0}, scale="tanh")
    assert bent.iloc[0] == 0.0
    assert 0.9 < bent.iloc[1] < bent.iloc[2] < 1.0


def test_settings_say_which_of_the_two_it_is() -> None:
    seen = features(a=[0.5, -0.5])
    by_weight = ScoreSettings.model_validate({"weights": {"a": 2.0}})
    assert scored_by(by_weight, seen).tolist() == [0.5, -0.5]
    by_vote = ScoreSettings.model_validate({"votes": [{"factor": "a", "above": 0.0}]})
    assert scored_by(by_vote, seen).tolist() == [1.0, -1.0]


def test_a_factor_that_was_not_computed_is_named() -> None:
    with pytest.raises(ConfigError, match="factors slow among those computed, found trend"):
        voted(features(trend=[1.0]), [Vote("slow", above=0.0)])
    with pytest.raises(ConfigError, match="factors slow among those computed, found trend"):
        blended(features(trend=[1.0]), {"slow": 1.0})
    with pytest.raises(ConfigError, match="weights other than zero"):
        blended(features(trend=[1.0]), {"trend": 0.0})
