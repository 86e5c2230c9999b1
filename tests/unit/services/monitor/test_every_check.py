"""What holds for every check in the list."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Heartbeat
from quantbus_contracts.testing import make_signal
from quantbus_services.monitor import checks
from quantbus_services.monitor.checks import CHECKS, Check, Sources
from quantbus_services.monitor.findings import Severity
from tests.unit.services.monitor.fake_bus import FakeBot, FakeBus, open_trade

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
every_check = pytest.mark.parametrize("make", CHECKS, ids=lambda make: make.name)


def everything_wrong(bus: FakeBus, bot: FakeBot) -> datetime:
    """Make a world in which every check finds something; return the moment to look at it."""
    bus.declare()
    bus.clock.set(NOON + timedelta(minutes=2))
    bus.signal_store.publish([make_signal(ts=NOON)])
    bus.beats.beat(Heartbeat(process="x", instance="y", at=NOON, started_at=NOON, version="1"))
    bot.trades = [open_trade(None, NOON)]
    now = NOON + timedelta(minutes=10)
    doubt: dict[str, str | int | float | bool | None] = {"claims_unknown": 1, "lease_held": False}
    bus.beats.beat(
        Heartbeat(process="executor", instance="bot", at=now, started_at=NOON, version="1", detail=doubt)
    )
    return now


def test_the_list_has_each_check_once() -> None:
    names = [make.name for make in CHECKS]
    assert len(set(names)) == len(names)
    assert {make.__name__ for make in CHECKS} <= set(dir(checks))


@every_check
def test_it_says_what_it_is_when_it_looks_and_when_it_finds_something(make: type[Check]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", make.name)
    assert make.__module__.endswith(f".{make.name}")
    assert (make.__doc__ or "").startswith("Finds ")
    assert timedelta(seconds=1) <= make.every <= timedelta(minutes=5)
    assert len(make.threshold) > 20


@every_check
async def test_it_finds_nothing_on_an_empty_bus(make: type[Check], bus: FakeBus, bot: FakeBot) -> None:
    assert await make(Sources(bus, bot=bot)).check(NOON) == []


@every_check
async def test_what_it_finds_says_what_to_do_and_is_found_again_the_same(
    make: type[Check], bus: FakeBus, bot: FakeBot
) -> None:
    now = everything_wrong(bus, bot)
    check = make(Sources(bus, bot=bot))
    findings = await check.check(now)
    assert findings
    for finding in findings:
        assert finding.severity in Severity
        assert min(map(len, (finding.kind, finding.subject, finding.message, finding.action))) > 0
    assert await check.check(now) == findings
    assert await make(Sources(bus, bot=bot)).check(now) == findings
