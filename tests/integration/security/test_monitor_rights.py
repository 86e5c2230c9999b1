"""The monitor's own user may ask everything that a cycle asks, so that nothing is unknown only for want of a right."""

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.client import connect_async
from quantbus_services.monitor.checks import CHECKS, Limits, Sources
from quantbus_services.monitor.metrics import ChainMetrics, LedgerMetrics, PlatformMetrics
from quantbus_services.monitor.readings import Readings
from quantbus_services.monitor.stored_view import StoredView
from tests.integration.security.conftest import Guarded

pytestmark = pytest.mark.integration


async def test_every_question_of_a_cycle_is_answered_to_the_monitor_s_user(guarded: Guarded) -> None:
    connection = connect_async(guarded.settings("monitor"), app="test-monitor", timeout_seconds=20)
    registry = CollectorRegistry()
    view = StoredView(connection, SystemClock())
    metrics = ChainMetrics(registry), LedgerMetrics(registry), PlatformMetrics(registry)
    try:
        now = await connection.server_now()
        view.begin_cycle(now)
        await Readings(view, *metrics, Limits()).take(now)
        for make in CHECKS:
            if "bot" not in make.needs:
                await make(Sources(view)).check(now)
    finally:
        await connection.close()
    assert registry.get_sample_value("quantbus_bus_members", {"state": "primary"}) == 1
    assert (registry.get_sample_value("quantbus_bus_disk_bytes", {"kind": "free"}) or 0) > 0
