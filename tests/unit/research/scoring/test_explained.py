"""Which condition fired, and what each factor added."""

import pandas as pd
import pytest

from quantbus_research.scoring import reasons_of, scored_by
from quantbus_research.settings.nodes import ScoreSettings

ROWS = pd.DataFrame({"slope": [0.4, -0.4, 0.4], "rsi": [60.0, 60.0, 90.0], "volume": [0.1, 0.3, -0.2]})


def settings(**given: object) -> ScoreSettings:
    return ScoreSettings.model_validate({"inputs": ["seen"], **given})


def test_votes_add_up_to_the_score_and_name_the_condition_that_held() -> None:
    asked = settings(
        votes=[
            {"factor": "slope", "above": 0.0, "required": True},
            {"factor": "rsi", "above": 50.0, "below": 80.0, "weight": 2.0},
            {"factor": "volume", "above": 0.0},
        ]
    )
    scores = scored_by(asked, ROWS)
    for number, (_, row) in enumerate(ROWS.iterrows()):
        told = reasons_of(asked, row)
        expected = -1.0 if any(reason.bars for reason in told) else sum(reason.added for reason in told) - 1.0
        assert expected == pytest.approx(scores.iloc[number])
    first, barred, hot = (reasons_of(asked, row) for _, row in ROWS.iterrows())
    assert [reason.condition for reason in first] == ["above 0, required", "above 50 and below 80", "above 0"]
    assert [reason.holds for reason in hot] == [True, False, False]
    assert [reason.bars for reason in barred] == [True, False, False]


def test_a_blend_adds_up_to_the_mean_before_it_is_brought_to_scale() -> None:
    asked = settings(weights={"slope": 3.0, "volume": -1.0})
    told = reasons_of(asked, ROWS.iloc[0])
    assert [(reason.weight, reason.holds, reason.condition) for reason in told] == [
        (0.75, None, None),
        (-0.25, None, None),
    ]
    assert sum(reason.added for reason in told) == pytest.approx(scored_by(asked, ROWS).iloc[0])
