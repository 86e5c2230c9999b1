"""The band between the two thresholds of a score: inside it nothing changes."""

from datetime import timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from quantbus_contracts.policy import DecisionKind, Position, PositionSide, TradingRules, decide
from tests.unit.contracts.policy.rows import MINUTE, TS, published


def held_after(scores: list[float], rules: TradingRules) -> list[PositionSide | None]:
    """Return what is held after each of a series of scores, one a minute; a reversal takes a minute of its own."""
    held: Position | None = None
    sides: list[PositionSide | None] = []
    for number, score in enumerate(scores):
        row = published(None, score=score, ts=TS + number * MINUTE)
        now = row.available_at + timedelta(seconds=1)
        decision = decide(row, held, now, rules)
        if decision.kind is DecisionKind.EXIT:
            held = None
            decision = decide(row, held, now, rules)
        if decision.kind is DecisionKind.ENTER and decision.side is not None:
            held = Position(decision.side, now, decision.signal_id, row.signal.ts)
        sides.append(held.side if held is not None else None)
    return sides


scores = st.lists(st.floats(-1, 1), min_size=1, max_size=30)
thresholds = st.tuples(st.floats(0.05, 1), st.floats(-1, 1)).filter(lambda pair: pair[1] < pair[0])


@given(scores=scores, limits=thresholds, can_short=st.booleans())
def test_inside_the_band_what_is_held_never_changes(
    scores: list[float], limits: tuple[float, float], can_short: bool
) -> None:
    entry, leave = limits
    rules = TradingRules(score_entry=entry, score_exit=leave, can_short=can_short)
    sides = [None, *held_after(scores, rules)]
    for before, after, score in zip(sides, sides[1:], scores, strict=False):
        if before == "long" and leave < score and score > -entry:
            assert after == "long"
        if before == "short" and score < -leave and score < entry:
            assert after == "short"
        if before is None and -entry < score < entry:
            assert after is None


@given(wobble=st.lists(st.floats(-0.999, 0.999), min_size=2, max_size=40), limits=thresholds)
def test_a_score_that_wobbles_within_the_band_enters_once_and_never_leaves(
    wobble: list[float], limits: tuple[float, float]
) -> None:
    entry, leave = limits
    assume(leave >= -entry)
    middle, half = (entry + leave) / 2, (entry - leave) / 2
    series = [entry, *(middle + half * share for share in wobble)]
    assume(all(leave < score < entry for score in series[1:]))
    rules = TradingRules(score_entry=entry, score_exit=leave)
    assert held_after(series, rules) == ["long"] * len(series)


def test_without_a_band_the_same_wobble_flips_each_time() -> None:
    rules = TradingRules(score_entry=0.5, score_exit=0.499)
    assert held_after([0.5, 0.49, 0.5, 0.49], rules) == ["long", None, "long", None]
