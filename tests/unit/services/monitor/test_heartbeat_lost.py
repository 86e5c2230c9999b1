from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Heartbeat
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.platform.heartbeat_lost import HeartbeatLost
from tests.unit.services.monitor.fake_bus import FakeBus

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("silent_for", "found"),
    [
        (timedelta(seconds=60), False),
        (timedelta(seconds=61), True),
        (timedelta(days=7), True),
        (timedelta(days=7, seconds=1), False),  # taken out of service
    ],
)
async def test_a_process_is_lost_from_its_last_sign_of_life_until_it_is_forgotten(
    bus: FakeBus, silent_for: timedelta, found: bool
) -> None:
    bus.beats.beat(Heartbeat(process="ingestion", instance="main", at=NOON, started_at=NOON, version="1"))
    findings = await HeartbeatLost(Sources(bus)).check(NOON + silent_for)
    assert [finding.subject for finding in findings] == (["ingestion/main"] if found else [])
