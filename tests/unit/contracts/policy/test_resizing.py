"""Bringing a position to a signal's weight: increases are bound like entries, reductions like exits."""

from datetime import timedelta
from typing import Any

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import (
    CatchUp,
    Circumstances,
    Holding,
    Position,
    Reason,
    Resize,
    RiskView,
    StandingExit,
    TradingRules,
    decide_resize,
    entry_leverage,
)
from quantbus_contracts.schema import ControlKind
from tests.unit.contracts.policy.rows import CLOSE, TS, published

NOW = CLOSE + timedelta(seconds=5)
RULES = TradingRules(drift_band=0.02, can_short=True)
LONG = Position("long", NOW - timedelta(hours=1), "first", NOW - timedelta(hours=2))
"""Opened long ago, by another signal."""


def change(
    weight: float, value: float, *, later: timedelta = timedelta(0), position: Position = LONG, **given: Any
) -> Resize:
    """Resize a position of a bot with 1,000, at a venue that takes 10 and wants 15 to be left."""
    holding = Holding(value=value, capital=1_000.0, minimum=10.0, maximum=1_000.0, least_rest=15.0)
    rules, around = given.pop("rules", RULES), given.pop("around", Circumstances())
    signal = published(None, weight=weight, **given)
    return decide_resize(signal, position, NOW + later, rules, around, holding)


def test_a_position_goes_up_and_down_to_its_weight_and_leaves_what_can_be_sold() -> None:
    assert change(0.5, 400.0) == Resize(100.0)
    assert change(0.5, 600.0) == Resize(-100.0)
    assert change(0.5, 490.0) == Resize(reason=Reason.WITHIN_BAND)
    assert change(0.001, 100.0) == Resize(-85.0)


def test_an_increase_comes_in_time_or_not_at_all_and_a_reduction_does_not_expire() -> None:
    late = timedelta(days=1)
    assert change(0.5, 400.0, later=late).amount == 0.0
    assert change(0.5, 400.0, later=late).reason in (Reason.EXPIRED, Reason.STALE, Reason.MAX_DELAY)
    assert change(0.5, 600.0, later=late) == Resize(-100.0)


@pytest.mark.parametrize(
    ("around", "reason"),
    [
        (Circumstances(control=ControlKind.BLOCK), Reason.BLOCKED),
        (Circumstances(risk=RiskView(blocks_entries=True)), Reason.DENIED_BY_RISK),
        (Circumstances(restraints_known=False), Reason.RISK_UNKNOWN),
    ],
)
def test_what_denies_entries_denies_increases_and_no_reduction(around: Circumstances, reason: Reason) -> None:
    assert change(0.5, 400.0, around=around) == Resize(reason=reason)
    assert change(0.5, 600.0, around=around) == Resize(-100.0)


@pytest.mark.parametrize("value", [400.0, 600.0])
def test_a_halt_changes_nothing(value: float) -> None:
    assert change(0.5, value, around=Circumstances(control=ControlKind.HALT)).amount == 0.0


@pytest.mark.parametrize(("origin", "reason"), [("backfill", "origin_backfill"), ("replay", "origin_replay")])
@pytest.mark.parametrize("value", [400.0, 600.0])
def test_what_never_trades_live_resizes_nothing(value: float, origin: str, reason: str) -> None:
    assert change(0.5, value, origin=origin) == Resize(reason=Reason(reason))


def test_an_exit_that_stands_is_not_worked_against() -> None:
    leaving = Position("long", LONG.opened_at, "first", LONG.ts, StandingExit("x", 1, Reason.EXIT_SIGNAL))
    assert change(0.5, 400.0, position=leaving) == Resize()
    assert change(0.5, 600.0, position=leaving) == Resize()


def test_a_position_that_no_signal_opened_keeps_its_size() -> None:
    somebodys = Position("long", LONG.opened_at)
    assert change(0.5, 400.0, position=somebodys) == Resize()
    assert change(0.5, 600.0, position=somebodys) == Resize()


def test_what_a_signal_before_the_position_says_does_not_count() -> None:
    newer = Position("long", NOW, "second", TS + timedelta(minutes=1))
    assert change(0.5, 600.0, position=newer).amount == 0.0


def test_what_was_missed_resizes_nothing_where_that_is_the_policy() -> None:
    around = Circumstances(looking_since=NOW + timedelta(seconds=1))
    skipping = TradingRules(drift_band=0.02, catch_up=CatchUp.SKIP)
    assert change(0.5, 600.0, around=around, rules=skipping) == Resize(reason=Reason.MISSED)
    assert change(0.5, 600.0, around=around) == Resize(-100.0)


def test_a_short_is_resized_as_a_long_is() -> None:
    short = Position("short", LONG.opened_at, "first", LONG.ts)
    assert change(-0.5, 400.0, position=short) == Resize(100.0)
    assert change(-0.5, 600.0, position=short) == Resize(-100.0)


@pytest.mark.parametrize(
    ("asked", "allowed", "venue", "granted"),
    [
        (None, 5.0, 20.0, 1.0),
        (3.0, 5.0, 20.0, 3.0),
        (10.0, 5.0, 20.0, 5.0),
        (10.0, 50.0, 4.0, 4.0),
        (10.0, 1.0, 20.0, 1.0),
        (3.0, 5.0, 0.5, 1.0),
        (3.0, 5.0, float("nan"), 1.0),
    ],
)
def test_leverage_is_what_is_asked_for_within_what_is_allowed(
    asked: float | None, allowed: float, venue: float, granted: float
) -> None:
    signal = published("enter_long", leverage=asked).signal
    assert entry_leverage(signal, allowed=allowed, maximum=venue) == granted


@pytest.mark.parametrize("wrong", [0.5, 126.0, float("nan")])
def test_a_leverage_that_makes_no_sense_is_refused_by_name(wrong: float) -> None:
    with pytest.raises(ConfigError, match="max_leverage"):
        TradingRules(max_leverage=wrong)
