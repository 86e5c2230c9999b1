"""An alert on its whole way: real bus, monitor, Prometheus, Alertmanager; messenger, mail and Telegram."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import ExecutionState
from quantbus_contracts.testing import make_execution, make_signal
from tests.integration.monitor.alerting.receivers import MailServer, Messenger, mail_server
from tests.integration.monitor.alerting.towers import Tower, running_alertmanager, running_prometheus
from tests.integration.monitor.running import RunningMonitor, environment, running_monitor, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.proof, pytest.mark.timeout(300)]
MOST_SECONDS = 30.0
PATIENCE = 240.0
DEADMAN_SECONDS = 20
"""More than the 15 s between two Watchdogs."""


class Watch:
    """Everything between a fault and the people."""

    def __init__(self, folder: Path, mongo: MongoSettings, ending: ExitStack) -> None:
        self.messenger: Messenger = ending.enter_context(Messenger())
        self.mail: MailServer = ending.enter_context(mail_server())
        addresses = folder / "messengers"
        addresses.write_text(self.messenger.address)
        names = {
            "QUANTBUS_MONITOR_ALERT_URLS_FILE": str(addresses),
            "QUANTBUS_MONITOR_DEADMAN_AFTER_SECONDS": str(DEADMAN_SECONDS),
        }
        self.monitor: RunningMonitor = ending.enter_context(
            running_monitor(folder, environment(mongo, folder, **names), "--interval", "3")
        )
        self.alertmanager: Tower = ending.enter_context(
            running_alertmanager(folder, self.monitor.url, self.messenger, self.mail)
        )
        self.prometheus: Tower = ending.enter_context(
            running_prometheus(
                folder, {"quantbus-monitor": self.monitor.url}, self.alertmanager, resend_seconds=1
            )
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alerting")


@pytest.fixture
def watch(folder: Path, mongo_settings: MongoSettings, connection: Connection) -> Iterator[Watch]:
    with ExitStack() as ending:
        yield Watch(folder, mongo_settings, ending)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def show(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return show


def reject_orders(connection: Connection, count: int) -> None:
    """Let a bot's ledger say that the venue rejected its last orders."""
    now = datetime.now(UTC)
    for number in range(count):
        signal = make_signal(
            strategy_id="turned-away", ts=now.replace(second=0, microsecond=0) - timedelta(minutes=2 + number)
        )
        ExecutionWriter(connection).record(
            [
                make_execution(
                    signal,
                    state=ExecutionState.REJECTED,
                    reason="venue_rejected",
                    available_at=now - timedelta(seconds=5),
                    seen_at=now - timedelta(seconds=4),
                )
            ]
        )


def test_rejected_orders_and_a_silent_prometheus_are_told_in_time(
    watch: Watch, connection: Connection, tell: Callable[[str], None]
) -> None:
    reject_orders(connection, 3)
    caused_at = time.time()
    inboxes = (watch.messenger.inbox, watch.messenger.telegram, watch.mail.inbox)
    for inbox in inboxes:
        wait_for(
            lambda inbox=inbox: inbox.first("OrderConsecutiveRejects"),  # type: ignore[misc]
            what="the alert",
            seconds=PATIENCE,
        )
    found = [told for inbox in inboxes if (told := inbox.first("OrderConsecutiveRejects"))]
    for told in found:
        for expected in (
            "turned-away",
            "BTC/USDT",
            "UTC",
            "quantbus signals list --strategy-id turned-away --pair BTC/USDT",
            "docs/runbooks/order-consecutive-rejects.md",
        ):
            assert expected in told.body.replace("=\r\n", ""), told
    since = watch.monitor.metrics()
    [condition] = [value for name, value in since.items() if 'kind="order_rejects"' in name]
    took = found[0].at - condition
    tell(
        f"OrderConsecutiveRejects: {took:.1f} s from its condition, {found[0].at - caused_at:.1f} s from the fault"
    )
    assert took <= MOST_SECONDS

    assert watch.messenger.inbox.first("WatchdogSilent") is None
    watch.prometheus.freeze()
    frozen_at = time.time()
    wait_for(
        lambda: watch.messenger.inbox.first("WatchdogSilent") is not None,
        what="the dead-man's message",
        seconds=PATIENCE,
    )
    silent = watch.messenger.inbox.first("WatchdogSilent")
    assert silent is not None
    tell(f"WatchdogSilent: {silent.at - frozen_at:.1f} s after Prometheus froze")
    watch.prometheus.thaw()
    wait_for(
        lambda: watch.messenger.inbox.first("WatchdogSilent", firing=False) is not None,
        what="the end of the silence",
        seconds=PATIENCE,
    )
