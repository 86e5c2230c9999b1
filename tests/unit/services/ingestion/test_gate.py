import asyncio

import pytest

from quantbus_contracts.errors import VenueUnavailable
from quantbus_services.ingestion.venue.gate import Gate, Held
from quantbus_services.ingestion.venue.pauses import Pause


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def ask(gate: Gate) -> None:
    async with gate.passage():
        pass


async def test_a_closed_gate_lets_nothing_through_and_says_for_how_long() -> None:
    seconds = Seconds()
    gate = Gate(seconds)
    gate.close(Pause("banned", 120.0))

    seconds.now += 100
    with pytest.raises(Held, match=r"\(banned\) for another 20 s") as caught:
        await ask(gate)

    assert caught.value.kind == "banned"
    assert caught.value.retry_after_seconds == pytest.approx(20.05)
    seconds.now += 20.1
    await ask(gate)


async def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    gate = Gate(Seconds())
    gate.close(Pause("banned", 120.0))
    gate.close(Pause("rate_limited", 1.0))

    assert gate.seconds_left == pytest.approx(120.05)


async def test_without_a_named_time_pauses_double_to_a_minute_and_begin_anew_after_an_answer() -> None:
    seconds = Seconds()
    gate = Gate(seconds)
    lengths = []
    for _ in range(7):
        gate.close(Pause("rate_limited", None))
        lengths.append(round(gate.seconds_left))
        seconds.now += gate.seconds_left
    await ask(gate)
    gate.close(Pause("rate_limited", None))

    assert lengths == [2, 4, 8, 16, 32, 60, 60]
    assert round(gate.seconds_left) == 2


async def test_after_a_pause_one_request_tries_and_the_rest_follow_its_answer() -> None:
    seconds = Seconds()
    gate = Gate(seconds)
    gate.close(Pause("rate_limited", 5.0))
    seconds.now += 6
    out, most = 0, []

    async def request() -> None:
        nonlocal out
        async with gate.passage():
            out += 1
            most.append(out)
            await asyncio.sleep(0.01)
            out -= 1

    await asyncio.gather(*(request() for _ in range(5)))

    assert most[0] == 1
    assert len(most) == 5


async def test_those_who_wait_behind_a_trial_that_fails_send_nothing() -> None:
    seconds = Seconds()
    gate = Gate(seconds)
    gate.close(Pause("rate_limited", 5.0))
    seconds.now += 6
    sent = 0

    async def request() -> None:
        nonlocal sent
        async with gate.passage():
            sent += 1
            await asyncio.sleep(0.01)
            gate.close(Pause("banned", 120.0))
            raise VenueUnavailable("418", kind="banned")

    ends = await asyncio.gather(*(request() for _ in range(5)), return_exceptions=True)

    assert sent == 1
    assert [type(end) for end in ends] == [VenueUnavailable, Held, Held, Held, Held]


async def test_a_trial_that_fails_otherwise_leaves_the_next_one_to_try() -> None:
    seconds = Seconds()
    gate = Gate(seconds)
    gate.close(Pause("rate_limited", 5.0))
    seconds.now += 6

    with pytest.raises(ConnectionError):
        async with gate.passage():
            raise ConnectionError

    await ask(gate)
