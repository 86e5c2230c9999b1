from datetime import timedelta

import pytest

from quantbus_contracts.schema import Origin, PublishedSignal
from quantbus_contracts.testing import FakeSignalStore, make_signal
from quantbus_research.publish import Position, Verdict, View, decide, position_before, read_position
from quantbus_research.settings import PolicySettings
from tests.unit.research.panels import MINUTE, START

BAR = START + timedelta(minutes=30)


def ago(bars: int) -> Position:
    return Position(long_since=BAR - bars * MINUTE.delta)


def policy(**given: object) -> PolicySettings:
    return PolicySettings.model_validate({"thresholds": "absolute", "enter": 0.1, "exit": -0.1, **given})


def judge(
    score: float | None,
    position: Position,
    rules: PolicySettings,
    *,
    recent_scores: tuple[float, ...] = (),
    degraded: str | None = None,
) -> Verdict:
    seen = View(pair="BTC/USDT", score=score, recent_scores=recent_scores, degraded=degraded)
    return decide(seen, position, rules, timeframe=MINUTE, bar=BAR)


def test_a_high_score_enters_when_flat_and_only_then() -> None:
    assert judge(0.1, Position(), policy()).action == "enter_long"
    assert judge(0.09, Position(), policy()).action is None
    assert judge(0.9, ago(1), policy()).action is None


def test_a_low_score_leaves_when_long_and_only_then() -> None:
    assert judge(-0.11, ago(1), policy()).action == "exit_long"
    assert judge(-0.1, ago(1), policy()).action is None
    assert judge(-0.9, Position(), policy()).action is None


@pytest.mark.parametrize("score", [0.9, -0.05, None])
def test_a_position_is_left_in_time_whatever_the_score_says(score: float | None) -> None:
    rules = policy(hold_bars=2)
    assert judge(score, ago(1), rules, degraded=None if score else "the bar is missing").action is None
    assert judge(score, ago(2), rules).action == "exit_long"
    assert judge(score, ago(7), rules).action == "exit_long"


def test_an_exit_by_time_is_not_held_back_by_a_gap() -> None:
    rules = policy(hold_bars=2, on_gap="skip")
    assert judge(0.9, ago(2), rules, degraded="3 bars are missing").action == "exit_long"
    assert judge(-0.9, ago(1), rules, degraded="3 bars are missing").action is None


def test_a_gap_is_published_or_skipped_as_the_recipe_says() -> None:
    gap = "3 bars are missing"
    assert judge(0.9, Position(), policy(on_gap="publish_degraded"), degraded=gap).action == "enter_long"
    skipped = judge(0.9, Position(), policy(on_gap="skip"), degraded=gap)
    assert skipped.action is None
    assert gap in skipped.why


def test_a_quantile_is_taken_of_the_recent_scores() -> None:
    rules = policy(thresholds="quantile", enter=0.5, exit=0.25, calibration_bars=5)
    recent = (-0.5, -0.4, -0.3, -0.2, -0.1)
    assert judge(-0.3, Position(), rules, recent_scores=recent).action == "enter_long"
    assert judge(-0.31, Position(), rules, recent_scores=recent).action is None
    assert judge(-0.41, ago(1), rules, recent_scores=recent).action == "exit_long"
    assert judge(-0.4, ago(1), rules, recent_scores=recent).action is None


def test_a_model_that_always_says_the_same_still_enters_by_quantile() -> None:
    rules = policy(thresholds="quantile", enter=0.5, exit=0.1, calibration_bars=5)
    assert judge(0.2, Position(), rules, recent_scores=(0.2,) * 5).action == "enter_long"
    assert judge(0.2, ago(1), rules, recent_scores=(0.2,) * 5).action is None


def test_a_demonstration_enters_against_the_model_and_says_so() -> None:
    rules = policy(max_flat_bars=2)
    assert judge(-0.9, Position(flat_since=BAR - MINUTE.delta), rules).action is None
    forced = judge(-0.9, Position(flat_since=BAR - 2 * MINUTE.delta), rules)
    assert forced.action == "enter_long"
    assert "against the score" in forced.why
    assert judge(-0.9, Position(), rules).action == "enter_long"


def published(*rows: tuple[int, str, str]) -> list[PublishedSignal]:
    store = FakeSignalStore()
    for bars_ago, action, origin in rows:
        store.publish([make_signal(ts=BAR - bars_ago * MINUTE.delta, action=action, origin=origin)])
    return store.range("test", MINUTE, "BTC/USDT", START, BAR)


LIVE: frozenset[Origin] = frozenset({"live"})
SAID: frozenset[Origin] = frozenset({"live", "backfill"})


def test_a_position_is_what_was_said_last() -> None:
    assert position_before([], LIVE) == Position()
    assert position_before(published((3, "enter_long", "live")), LIVE) == ago(3)
    left = position_before(published((3, "enter_long", "live"), (1, "exit_long", "live")), LIVE)
    assert left == Position(flat_since=BAR - MINUTE.delta)
    assert left.bars_flat(MINUTE, BAR) == 1
    assert left.bars_long(MINUTE, BAR) is None


def test_a_second_entry_does_not_restart_the_clock() -> None:
    twice = published((4, "enter_long", "live"), (2, "enter_long", "live"))
    assert position_before(twice, LIVE).bars_long(MINUTE, BAR) == 4


def test_rows_that_never_trade_make_no_live_position() -> None:
    rows = published((5, "enter_long", "live"), (3, "exit_long", "backfill"))
    assert position_before(rows, LIVE) == ago(5)
    assert position_before(rows, SAID).flat_since is not None


def test_a_position_left_open_long_ago_is_found() -> None:
    store = FakeSignalStore()
    store.publish([make_signal(ts=BAR - 4_000 * MINUTE.delta, action="enter_long")])
    position = read_position(store, "test", "BTC/USDT", MINUTE, BAR, origin="live")
    assert position.bars_long(MINUTE, BAR) == 4_000


def test_what_was_said_about_the_bar_itself_does_not_count() -> None:
    store = FakeSignalStore()
    store.publish([make_signal(ts=BAR, action="enter_long")])
    assert read_position(store, "test", "BTC/USDT", MINUTE, BAR, origin="live") == Position()
