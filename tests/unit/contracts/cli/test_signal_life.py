"""Why a signal was or was not traded, told from what the bus knows."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from quantbus_contracts.cli.signal_life import as_dict
from quantbus_contracts.cli.signal_screens import life_screen
from quantbus_contracts.policy import Life, Reason, hops_of, remedies_for, sentence_of, verdict_on
from quantbus_contracts.schema import Control, ExecutionState, Fill, Heartbeat, PublishedSignal, RiskState
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


def test_what_waits_says_for_what_and_what_can_be_done() -> None:
    waits = make_execution(reason="no_slot")
    told = verdict(executions=[waits])
    assert told.startswith(
        "It has not been traded yet; by default it may be entered until 2026-01-05 12:03:00 UTC."
    )
    assert "It has not acted so far: as many trades were open as max_open_trades allows." in told
    life = Life(CLOSE, make_published(), executions=[waits, make_execution(state="filled", reason="revised")])
    assert remedies_for(life) == {"no_slot": Reason.NO_SLOT.remedy}
    assert as_dict(life)["remedies"] == remedies_for(life)
    assert verdict(executions=[waits], after_close=600).startswith("It has not been traded.")


def test_a_fate_that_nobody_knows_is_not_called_a_refusal() -> None:
    unknown = make_execution(state="unknown")
    assert verdict(executions=[unknown]).startswith("Whether it was traded is not known.")


def test_a_bot_that_fell_silent_over_a_signal_is_told() -> None:
    seen = make_execution()
    assert "silent since 2026-01-05 12:01:05 UTC" in verdict(
        executions=[seen], bots=[beat(5)], after_close=900
    )
    assert "silent" not in verdict(executions=[seen], bots=[beat(5)], after_close=30)
    over = make_execution(state="refused", reason="stale")
    assert "silent" not in verdict(executions=[over], bots=[beat(5)], after_close=900)


def test_the_screen_says_why_first_and_then_what_it_knows_that_from() -> None:
    console = Console(width=100, record=True, file=StringIO())
    fill = Fill(
        consumer_id="bot",
        strategy_id="test",
        pair="BTC/USDT",
        order_id="42",
        trade_id=7,
        side="buy",
        purpose="entry",
        amount=0.5,
        price=100.0,
        ordered_at=CLOSE,
        filled_at=CLOSE,
        dry_run=False,
    )
    said = {"reason": "news", "at": NOON, "by": "me"}
    life = Life(
        CLOSE,
        make_published(),
        executions=[make_execution(state="refused", reason="blocked")],
        fills=[fill],
        controls=[Control(scope="all", source="operator", kind="block", expires_at=CLOSE, **said)],
        risks=[
            RiskState(strategy_id="test", pair="*", level="crit", stake_scale=0.5, block_entries=True, **said)
        ],
    )
    life_screen(console, life)
    text = console.export_text()
    places = [
        text.index(part)
        for part in (
            "It was not traded.",
            "a control forbade entries",
            "blocked →",
            "12:01:01 to 12:03:00 UTC, then expired",
            "revisions",
            "bar close",
            "refused",
            "buy (entry)",
            "(over)",
            "risk crit",
        )
    ]
    assert places == sorted(places)
    assert max(len(line) for line in text.splitlines()) <= 100


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
        hop.name: hop.after.total_seconds() if hop.after else None
        for hop in hops_of(published, execution, ingested_at=CLOSE + timedelta(milliseconds=100))
    }
    assert found == {
        "bar close": None,
        "ingested": 0.1,
        "computed": 0.15,
        "available": 0.75,
        "seen": 2.0,
        "ordered": None,
        "filled": 3.0,
    }
    assert [hop.at for hop in hops_of(published)][-3:] == [None, None, None]
