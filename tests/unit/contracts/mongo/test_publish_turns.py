"""Standing in line to publish, call by call, without a database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quantbus_contracts.errors import BusError, BusUnavailable, ConfigError
from quantbus_contracts.mongo.audit_log import MOST_ATTEMPTS
from quantbus_contracts.mongo.publish_turns import LONGEST_WAIT_SECONDS, Place
from quantbus_contracts.mongo.steps import Call, Steps

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LEASE = timedelta(seconds=3)


class Line:
    """Answers a place as the database would: so many are ahead, one fewer after each ``pace`` seconds of pauses."""

    def __init__(self, ahead: int, *, pace: float = 0.01, behind: int = 0) -> None:
        self.ahead, self.pace, self.behind = ahead, pace, behind
        self.slept = 0.0
        self.calls: list[Call] = []

    @property
    def asked(self) -> int:
        return sum(call.method == "find_one_and_update" for call in self.calls)

    @property
    def left(self) -> int:
        return sum(call.method == "update_one" for call in self.calls)

    def answer(self, call: Call) -> Any:
        self.calls.append(call)
        if call.method == "pause":
            self.slept += call.args[0]
            return None
        if call.method != "find_one_and_update":
            return None
        update = call.args[1]
        (ours,) = update[1]["$set"]["line"]["$cond"][2]["$concatArrays"][1]
        gone = int(self.slept / self.pace) if self.pace else 0
        names = (
            [f"other{number}" for number in range(self.ahead)][gone:] + [ours["who"]] + ["x"] * self.behind
        )
        until = NOW + timedelta(seconds=self.slept) + LEASE
        return {"line": [{"who": name, "until": until} for name in names]}


def drive(steps: Steps[None], answer: Callable[[Call], Any]) -> None:
    reply: Any = None
    failure: Exception | None = None
    while True:
        try:
            call = steps.throw(failure) if failure else steps.send(reply)
        except StopIteration:
            return
        failure = None
        try:
            reply = answer(call)
        except (BusError, ConfigError) as error:
            failure = error


def test_who_meets_nobody_asks_for_no_place() -> None:
    line = Line(0)
    place = Place("s", {})
    drive(place.enter(), line.answer)
    drive(place.leave(), line.answer)
    assert line.calls == []


def test_who_met_another_waits_until_all_but_one_ahead_are_gone() -> None:
    line = Line(20, behind=5)
    place = Place("s", {})
    drive(place.wait(), line.answer)
    assert line.slept >= 19 * line.pace
    assert line.slept < 40 * line.pace, "it does not sleep far beyond its turn"
    assert line.asked < 20, "the farther away its turn, the less often it asks"
    drive(place.leave(), line.answer)
    assert line.left == 1
    drive(place.leave(), line.answer)
    assert line.left == 1, "a place is left once"


def test_it_learns_how_long_the_others_take() -> None:
    crowded: dict[str, float] = {}
    slow = Line(20, pace=0.1)
    drive(Place("s", crowded).wait(), slow.answer)
    assert 0.05 < crowded["s"] < 0.3


def test_who_met_others_the_last_time_goes_to_the_line_at_once_and_forgets_it_when_alone() -> None:
    crowded: dict[str, float] = {}
    drive(Place("s", crowded).wait(), Line(3).answer)
    again, alone, after = Line(3, behind=1), Line(0), Line(0)
    drive(Place("s", crowded).enter(), again.answer)
    assert again.asked > 0
    drive(Place("s", crowded).enter(), alone.answer)
    drive(Place("s", crowded).enter(), after.answer)
    assert (alone.asked, after.asked) == (1, 0)


def test_patience_ends_where_the_line_does_not_move() -> None:
    line = Line(50, pace=0)
    place = Place("s", {})
    drive(place.wait(), line.answer)
    assert not place.patient
    assert LONGEST_WAIT_SECONDS < line.slept < LONGEST_WAIT_SECONDS + 2


def test_patience_ends_where_somebody_else_is_always_first() -> None:
    place = Place("s", {})
    meetings = 0
    while place.patient:
        drive(place.wait(), Line(0).answer)
        meetings += 1
    assert meetings == MOST_ATTEMPTS


@pytest.mark.parametrize("failure", [BusUnavailable("gone"), BusError("refused"), ConfigError("no right")])
def test_who_finds_no_line_waits_a_moment_and_goes_on(failure: Exception) -> None:
    calls: list[Call] = []

    def refuse(call: Call) -> None:
        calls.append(call)
        if call.method != "pause":
            raise failure

    place = Place("s", {})
    drive(place.wait(), refuse)
    assert [call.method for call in calls] == ["find_one_and_update", "pause"]
    assert place.patient
    drive(place.leave(), refuse)
    assert len(calls) == 2, "there is no place to leave"
