from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_research.publish import Position, View, decide, positions_of
from quantbus_research.settings import PolicySettings
from tests.unit.research.panels import BTC, ETH, MINUTE, START

SCORES = st.lists(st.one_of(st.none(), st.sampled_from([-0.4, -0.1, 0.0, 0.1, 0.4])), min_size=1, max_size=40)


def series(
    values: list[float | None], symbol: str = BTC, *, without: frozenset[int] = frozenset()
) -> pd.Series:
    """Return scores by bar; None is a bar without one, ``without`` are bars that do not exist."""
    there = [place for place in range(len(values)) if place not in without]
    index = pd.MultiIndex.from_arrays(
        [[symbol] * len(there), [pd.Timestamp(START + place * MINUTE.delta) for place in there]],
        names=["symbol", "datetime"],
    )
    return pd.Series([np.nan if values[p] is None else values[p] for p in there], index=index, dtype=float)


def judged_one_by_one(scores: pd.Series, policy: PolicySettings) -> list[float]:
    """Ask the live side at every bar, with the position that its own words have led to."""
    position, held = Position(), []
    known: list[float] = []
    for opened, score in zip(scores.index.get_level_values(1), scores, strict=True):
        bar = opened.to_pydatetime()
        given_score = None if np.isnan(score) else float(score)
        if given_score is not None:
            known.append(given_score)
        recent = tuple(known[-(policy.calibration_bars or 1) :])
        view = View("BTC/USDT", score=given_score, recent_scores=recent)
        action = decide(view, position, policy, timeframe=MINUTE, bar=bar).action
        if action == "enter_long":
            position = Position(long_since=bar)
        elif action == "exit_long":
            position = Position(flat_since=bar)
        held.append(1.0 if position.long_since else 0.0)
    return held


@pytest.mark.parametrize("hold", [None, 1, 3])
@pytest.mark.parametrize("flat", [None, 2])
@pytest.mark.parametrize(
    "bounds",
    [
        {"thresholds": "absolute", "enter": 0.1, "exit": -0.1},
        {"thresholds": "quantile", "enter": 0.7, "exit": 0.3, "calibration_bars": 5},
    ],
)
@settings(max_examples=8, deadline=timedelta(seconds=5))
@given(values=SCORES, without=st.frozensets(st.integers(0, 39), max_size=6))
def test_the_past_is_walked_by_the_very_rules_that_speak_live(
    values: list[float | None],
    without: frozenset[int],
    bounds: dict[str, object],
    hold: int | None,
    flat: int | None,
) -> None:
    scores = series(values, without=without)
    policy = PolicySettings.model_validate({**bounds, "hold_bars": hold, "max_flat_bars": flat})
    assert positions_of(scores, policy, MINUTE).tolist() == judged_one_by_one(scores, policy)


def test_symbols_are_walked_apart_and_in_any_order() -> None:
    policy = PolicySettings(thresholds="absolute", enter=0.1, exit=-0.1)
    btc, eth = series([0.4, 0.0, -0.4]), series([-0.4, 0.4, 0.0], ETH)
    together = positions_of(pd.concat([eth, btc]), policy, MINUTE)
    assert together[BTC].tolist() == [1.0, 1.0, 0.0]
    assert together[ETH].tolist() == [0.0, 1.0, 1.0]


def test_no_scores_are_no_positions() -> None:
    policy = PolicySettings(thresholds="absolute", enter=0.1, exit=-0.1)
    assert positions_of(series([0.1]).iloc[:0], policy, MINUTE).empty
