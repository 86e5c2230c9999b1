"""Why a signal was or was not traded, told from what the bus knows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quantbus_contracts.cli.sentences import sentence_of
from quantbus_contracts.cli.signal_life import Life, as_dict, hops_of, verdict_on
from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import ExecutionState, Heartbeat, PublishedSignal
from quantbus_contracts.testing import make_execution, make_signal

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CLOSE = NOON + timedelta(minutes=1)


def make_published(*, after_close: float = 1.0, **given: Any) -> PublishedSignal:
    return PublishedSignal(
        signal=make_signal(**given),
        version=1,
        available_at=CLOSE + timedelta(seconds=after_close),
        valid_until=NOON + timedelta(minutes=3),
        published_by="tester",
    )


def verdict(published: PublishedSignal | None = None, *, after_close: float = 5.0, **given: Any) -> str:
    life = Life(CLOSE + timedelta(seconds=after_close), published or make_published(), **given)
    assert as_dict(life)["verdict"] == verdict_on(life)
    return " ".join(verdict_on(life))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_sentence(reason: Reason) -> None:
    refused = make_execution(state=ExecutionState.REFUSED, reason=reason.value)
    assert sentence_of(refused) == f"It did not act: {reason.meaning}."


@pytest.mark.parametrize("state", ExecutionState)
def test_every_state_is_a_sentence(state: ExecutionState) -> None:
    told = sentence_of(make_execution(state=state, reason="some_new_word", price=100.5))
    assert told.startswith("It ")
    assert told.endswith(": some_new_word.")


def test_what_was_filled_was_traded() -> None:
    filled = make_execution(state=ExecutionState.FILLED, price=100.5)
    refused = make_execution(consumer_id="twin", state=ExecutionState.REFUSED, reason="in_position")
    told = verdict(executions=[filled, refused])
    assert told.startswith("It was traded.")
    assert "enter long filled at 100.5" in told
    assert "twin: It did not act: the position it asked for was already held." in told


def test_what_was_refused_was_not_and_says_why() -> None:
    refused = make_execution(state=ExecutionState.REFUSED, reason="max_delay")
    assert verdict(executions=[refused]) == (
        "It was not traded. bot: It did not act: too much time had passed since its bar closed."
    )


@pytest.mark.parametrize(
    ("published", "after_close", "told"),
    [
        (make_published(origin="backfill"), 5.0, "origin backfill"),
        (make_published(origin="replay"), 5.0, "no replay database"),
        (make_published(after_close=-30), 5.0, "before its bar had closed"),
        (make_published(action=None, score=0.1), 5.0, "asks for nothing"),
        (make_published(action="exit_long"), 5_000.0, "ends an open long position, and does not expire"),
        (make_published(action="exit_short"), 5.0, "asks for nothing"),
        (make_published(action=None, weight=0), 5.0, "ends an open long position"),
        (make_published(action=None, score=0.1, pair="BTC/USDT:USDT"), 5.0, "ends an open short position"),
        (make_published(action="enter_short"), 5.0, "short position where none can be held"),
        (make_published(after_close=600), 700.0, "came too late"),
        (make_published(), 5.0, "may still be entered until 2026-01-05 12:03:00 UTC"),
        (make_published(after_close=-1), -0.5, "may be entered from 2026-01-05 12:01:00 UTC"),
        (make_published(), 700.0, "time to enter ended 2026-01-05 12:03:00 UTC (expired)"),
    ],
)
def test_what_nobody_saw_is_explained_by_the_rules(
    published: PublishedSignal, after_close: float, told: str
) -> None:
    text = verdict(published, after_close=after_close)
    assert text.startswith("No consumer wrote that it saw it.")
    assert told in text


def test_a_short_of_a_swap_can_be_held() -> None:
    assert "may still be entered" in verdict(make_published(action="enter_short", pair="BTC/USDT:USDT"))


def test_a_newer_signal_that_hides_it_is_named() -> None:
    newer = make_published(ts=CLOSE, after_close=61)
    assert newer.signal_id in verdict(newer=newer, after_close=70)
    late = make_published(ts=CLOSE, after_close=600)
    assert late.signal_id not in verdict(newer=late, after_close=700)


def beat(after_close: float) -> Heartbeat:
    at = CLOSE + timedelta(seconds=after_close)
    return Heartbeat(process="executor", instance="bot", at=at, started_at=NOON, version="1", detail={})


def test_who_was_there_is_told() -> None:
    assert "No bot has ever given a sign of life" in verdict()
    assert "Bots alive now: bot" in verdict(bots=[beat(4)])
    assert "the last sign of life was bot's, 2026-01-05 12:01:05 UTC" in verdict(
        bots=[beat(5)], after_close=900
    )


def test_hops_are_counted_from_the_last_step_that_is_known() -> None:
    published = make_published(computed_at=CLOSE + timedelta(milliseconds=250))
    execution = make_execution(
        published.signal,
        available_at=published.available_at,
        seen_at=published.available_at + timedelta(seconds=2),
        filled_at=published.available_at + timedelta(seconds=5),
        state=ExecutionState.FILLED,
    )
    found = {
        hop.name: hop.after.total_seconds() if hop.after else None for hop in hops_of(published, execution)
    }
    assert found == {
        "bar close": None,
        "computed": 0.25,
        "available": 0.75,
        "seen": 2.0,
        "ordered": None,
        "filled": 3.0,
    }
    assert [hop.at for hop in hops_of(published)][-3:] == [None, None, None]
