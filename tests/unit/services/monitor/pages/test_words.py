"""Times and spans as people read them, and the way as bars."""

from datetime import timedelta

import pytest

from quantbus_contracts.policy import Life
from quantbus_contracts.schema import ExecutionState
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor.pages.seeing.waterfall import waterfalls_of
from quantbus_services.monitor.pages.words import ago, amount, elapsed, percent, span
from tests.fixtures.stored_signals import as_published
from tests.unit.services.monitor.pages.scene import NOW

SIGNAL = make_signal(ts=NOW.replace(second=0) - timedelta(minutes=5))
CLOSE = SIGNAL.closes_at


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3_600, "1 h"), (90_000, "1 d 1 h"), (86_460, "1 d")],
)
def test_a_length_of_time_is_told_in_its_two_greatest_units(seconds: float, told: str) -> None:
    assert elapsed(seconds) == told


def test_what_is_ahead_is_told_so() -> None:
    assert ago(NOW + timedelta(seconds=90), NOW) == "in 1 min 30 s"
    assert ago(NOW - timedelta(seconds=2), NOW) == "2 s ago"
    assert ago(NOW, NOW) == "just now"
    assert ago(None, NOW) == "–"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.25, "250 ms"), (2.4, "2.4 s"), (30.0, "30 s"), (-0.3, "-300 ms"), (None, "–")]
)
def test_a_delay_is_told_with_what_matters(seconds: float | None, told: str) -> None:
    assert span(seconds) == told


def test_numbers_are_told_with_the_digits_that_matter() -> None:
    assert amount(96_412.5) == "96,412.5"
    assert amount(0.00001234) == "0.00001234"
    assert amount(0.0) == "0"
    assert percent(-0.0012) == "-0.120%"


def life(**given: object) -> Life:
    published = as_published((SIGNAL, CLOSE + timedelta(seconds=4)))
    return Life(NOW, published, **given)  # type: ignore[arg-type]


def test_bars_follow_one_another_and_fill_the_scale() -> None:
    row = make_execution(
        SIGNAL,
        state=ExecutionState.ORDERED,
        available_at=CLOSE + timedelta(seconds=4),
        seen_at=CLOSE + timedelta(seconds=5),
        ordered_at=CLOSE + timedelta(seconds=8),
    )
    [way] = waterfalls_of(life(executions=[row], ingested_at=CLOSE + timedelta(seconds=2)))
    known = {step.name: (step.begins, step.width) for step in way.steps if step.at is not None}
    assert known == {
        "bar close": (0.0, 0.6),
        "ingested": (0.0, 25.0),
        "available": (25.0, 25.0),
        "seen": (50.0, 12.5),
        "ordered": (62.5, 37.5),
    }
    assert way.total == timedelta(seconds=8)
    assert [step.meaning for step in way.steps if step.at is None] == [
        "the publisher did not say",
        "not reached",
    ]


def test_a_step_before_the_one_that_should_be_before_it_is_marked() -> None:
    [way] = waterfalls_of(life(ingested_at=CLOSE + timedelta(seconds=9)))
    assert {step.name: step.backwards for step in way.steps}["available"]
    assert all(0 <= step.begins <= 100 and step.begins + step.width <= 100.01 for step in way.steps)
    assert way.consumer_id is None


def test_a_signal_of_one_instant_still_has_a_scale() -> None:
    published = as_published((SIGNAL, CLOSE))
    [way] = waterfalls_of(Life(NOW, published))
    assert way.total == timedelta(0)
    assert all(step.width in (0.0, 0.6) for step in way.steps)
