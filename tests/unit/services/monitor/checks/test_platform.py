"""What everything stands on: `bus_down`, `replica_lag`, `disk_low`, `clock_offset`, `audit_broken` and others."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Heartbeat
from quantbus_contracts.errors import BusError
from quantbus_contracts.schema import AuditFinding, BusHealth, Control, ControlKind, MemberHealth
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.platform import (
    AuditBroken,
    BusDown,
    ClockOffset,
    ControlsForgotten,
    DiskLow,
    ExecutorLoopStale,
    ReplicaLag,
)
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from tests.unit.services.monitor.fake_bus import FakeBus, FakeFigures, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
GIB = 2**30


def server(*members: MemberHealth, size: float = 100 * GIB, free: float = 50 * GIB) -> BusHealth:
    return BusHealth(members, size, free)


def primary() -> MemberHealth:
    return MemberHealth("a:27017", "primary", 0.0)


async def test_a_bus_is_down_until_it_answers_again(bus: FakeBus) -> None:
    check = BusDown(Sources(bus))
    assert await check.check(NOON) == []
    bus.go_down()
    [finding] = await check.check(NOON)
    assert (finding.kind, finding.subject) == ("bus_down", "bus")
    bus.go_down(down=False)
    assert await check.check(NOON) == []


@pytest.mark.parametrize(("lag", "found"), [(0.0, False), (10.0, False), (10.5, True)])
async def test_a_member_is_behind_from_the_limit_on(bus: FakeBus, lag: float, found: bool) -> None:
    bus.server = server(primary(), MemberHealth("b:27017", "secondary", lag))
    findings = await ReplicaLag(Sources(bus)).check(NOON)
    assert [(item.kind, item.subject) for item in findings] == ([("replica_lag", "b:27017")] if found else [])


async def test_a_member_that_serves_no_more_is_found_and_an_arbiter_is_none(bus: FakeBus) -> None:
    bus.server = server(
        primary(), MemberHealth("b:27017", "other", None), MemberHealth("c:27017", "arbiter", None)
    )
    [finding] = await ReplicaLag(Sources(bus)).check(NOON)
    assert (finding.kind, finding.subject, finding.severity) == ("replica_out", "b:27017", "critical")


async def test_members_that_the_server_does_not_tell_of_are_unknown(bus: FakeBus) -> None:
    bus.server = None
    with pytest.raises(BusError):
        await ReplicaLag(Sources(bus)).check(NOON)
    with pytest.raises(BusError):
        await DiskLow(Sources(bus)).check(NOON)


@pytest.mark.parametrize(("free", "found"), [(10.0, False), (9.9, True)])
async def test_a_disk_is_low_below_the_limit_s_share(bus: FakeBus, free: float, found: bool) -> None:
    bus.server = server(primary(), size=100 * GIB, free=free * GIB)
    findings = await DiskLow(Sources(bus)).check(NOON)
    assert bool(findings) is found
    if found:
        assert "9.9%" in findings[0].message


@pytest.mark.parametrize(("offset", "found"), [(0.0, False), (1.0, False), (-1.5, True), (2.0, True)])
async def test_the_bus_s_clock_may_be_a_little_off_either_way(
    bus: FakeBus, offset: float, found: bool
) -> None:
    bus.offset_seconds = offset
    findings = await ClockOffset(Sources(bus)).check(NOON)
    assert [item.subject for item in findings] == (["bus"] if found else [])


@pytest.mark.parametrize(
    ("told", "age", "found"),
    [
        (30.0, 0, True),
        (-30, 0, True),
        (0.5, 0, False),
        (None, 0, False),
        ("soon", 0, False),
        (True, 0, False),
        (30.0, 61, False),  # a dead process is another finding
    ],
)
async def test_an_exchange_s_clock_is_taken_from_ingestion_while_that_lives(
    bus: FakeBus, told: str | float | bool | None, age: float, found: bool
) -> None:
    bus.beats.beat(
        Heartbeat(
            process="ingestion",
            instance="main",
            at=NOON,
            started_at=NOON,
            version="1",
            detail={"venue": "BINANCE", "venue_clock_offset_seconds": told},
        )
    )
    findings = await ClockOffset(Sources(bus)).check(NOON + seconds(age))
    assert [item.subject for item in findings] == (["ingestion/main"] if found else [])


async def test_a_broken_audit_is_told_once_per_strategy_until_it_fits(bus: FakeBus) -> None:
    check = AuditBroken(Sources(bus))
    bus.audit_findings = [
        AuditFinding("row_altered", "test", "row 7", "does not carry its hash"),
        AuditFinding("chain_broken", "test", "row 8", "is not chained"),
        AuditFinding("row_missing", "other", "row 2", "is gone"),
    ]
    other, test = await check.check(NOON)
    assert (other.subject, test.subject, test.strategy_id) == ("other", "test", "test")
    assert "row 7" in test.message
    assert "and 1 more" in test.message
    bus.audit_findings = []
    assert await check.check(NOON) == []


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"last_process": NOON}, False),
        ({"last_process": NOON - seconds(60)}, False),
        ({"last_process": NOON - seconds(61)}, True),
        ({"last_process": None, "started_at": NOON - seconds(10)}, False),  # still starting
        ({"last_process": None, "started_at": NOON - seconds(100)}, True),
        ({"last_process": None, "started_at": None}, True),
    ],
)
async def test_a_loop_is_stale_from_its_last_turn_or_else_its_start(
    bus: FakeBus, given: dict[str, object], found: bool
) -> None:
    check = ExecutorLoopStale(Sources(bus, figures=FakeFigures(given), consumer_id="mine"))
    assert [item.subject for item in await check.check(NOON)] == (["mine"] if found else [])


async def test_the_loop_of_a_bot_that_does_not_answer_is_unknown(bus: FakeBus) -> None:
    with pytest.raises(BotUnavailable):
        await ExecutorLoopStale(Sources(bus, figures=FakeFigures(down=True))).check(NOON)


@pytest.mark.parametrize(
    ("age", "expires", "found"),
    [
        (timedelta(days=1), None, False),
        (timedelta(days=1, seconds=1), None, True),
        (timedelta(days=9), timedelta(days=10), False),  # it has an end
        (timedelta(days=9), timedelta(days=1), False),  # it is over
    ],
)
async def test_a_control_without_an_end_is_asked_about_after_a_day(
    bus: FakeBus, age: timedelta, expires: timedelta | None, found: bool
) -> None:
    at = NOON - age
    bus.control_store.put(
        Control(
            scope="strategy:test",
            source="operator",
            kind=ControlKind.BLOCK,
            reason="listing news",
            at=at,
            expires_at=at + expires if expires else None,
            by="somebody",
        )
    )
    findings = await ControlsForgotten(Sources(bus)).check(NOON)
    assert bool(findings) is found
    if found:
        assert "listing news" in findings[0].message
        assert "--scope strategy:test" in findings[0].action
