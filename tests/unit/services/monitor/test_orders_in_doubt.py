from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Heartbeat
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.orders.orders_in_doubt import OrdersInDoubt
from tests.unit.services.monitor.fake_bus import FakeBus

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("detail", "kinds"),
    [
        ({}, []),  # a bot of an older version
        ({"claims_unknown": 0, "claims_open": 2, "lease_held": True}, []),  # it is finding out
        ({"claims_unknown": 1, "lease_held": True}, ["orders_in_doubt"]),
        ({"claims_unknown": 0, "lease_held": False}, ["account_lost"]),
        ({"claims_unknown": 2, "lease_held": False}, ["orders_in_doubt", "account_lost"]),
    ],
)
async def test_a_bot_that_waits_for_a_person_is_found(
    bus: FakeBus, detail: dict[str, str | int | float | bool | None], kinds: list[str]
) -> None:
    beat = {"instance": "bot", "at": NOON, "started_at": NOON, "version": "1", "detail": detail}
    bus.beats.beat(Heartbeat(process="executor", **beat))
    bus.beats.beat(Heartbeat(process="ingestion", **beat))
    findings = await OrdersInDoubt(Sources(bus)).check(NOON)
    assert [(finding.kind, finding.subject) for finding in findings] == [
        (kind, "executor/bot") for kind in kinds
    ]


async def test_what_a_dead_bot_said_last_is_no_news(bus: FakeBus) -> None:
    detail: dict[str, str | int | float | bool | None] = {"claims_unknown": 1}
    bus.beats.beat(
        Heartbeat(process="executor", instance="bot", at=NOON, started_at=NOON, version="1", detail=detail)
    )
    assert await OrdersInDoubt(Sources(bus)).check(NOON + timedelta(minutes=2)) == []
