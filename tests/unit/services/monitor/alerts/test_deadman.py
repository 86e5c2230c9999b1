"""When silence is told: late enough, once, and then once an hour."""

from datetime import timedelta

from quantbus_contracts.testing import FrozenClock
from quantbus_services.monitor.alerts.deadman import DeadMan
from tests.unit.services.monitor.fake_bus import seconds

MINUTE = timedelta(minutes=1)


def test_one_that_was_never_heard_is_told_only_where_it_was_expected(frozen_clock: FrozenClock) -> None:
    start = frozen_clock.now()
    assert DeadMan(MINUTE).look(start + 100 * MINUTE) is None
    expected = DeadMan(MINUTE, armed_at=start)
    assert expected.look(start + MINUTE) is None
    told = expected.look(start + MINUTE + seconds(1))
    assert told is not None
    assert "never heard" in told.body
    assert "docs/runbooks/watchdog-silent.md" in told.body


def test_silence_is_told_once_and_again_after_an_hour(frozen_clock: FrozenClock) -> None:
    start = frozen_clock.now()
    deadman = DeadMan(MINUTE)
    assert deadman.heard(start) is None
    told = [minute for minute in range(130) if deadman.look(start + minute * MINUTE + seconds(1))]
    assert told == [1, 61, 121]
    over = deadman.heard(start + 130 * MINUTE)
    assert over is not None
    assert over.level == "resolved"
    assert not deadman.silent
    assert deadman.heard(start + 131 * MINUTE) is None


def test_a_clock_that_is_set_back_does_not_hide_a_silence(frozen_clock: FrozenClock) -> None:
    start = frozen_clock.now()
    deadman = DeadMan(MINUTE)
    deadman.heard(start)
    assert deadman.look(start - 600 * MINUTE) is None
    assert deadman.look(start - 598 * MINUTE) is not None
