"""Real faults of what bots and signals stand on, each measured from its rule's condition to the delivered message."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.testing import make_execution, make_signal
from tests.e2e.bus_view import last_closed
from tests.e2e.waiting import eventually
from tests.integration.monitor.alerting.conditions import (
    above,
    absent,
    finding,
    older,
    total_above,
)
from tests.integration.monitor.alerting.footing import INGESTION, MONITOR, Footing, running_footing
from tests.integration.monitor.alerting.stopwatch import Fault, Table, play

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(3600)]

WATCHED = {
    "CandleGap": (INGESTION, above("quantbus_candle_gap_bars", 0)),
    "WatchdogNotHeard": (MONITOR, older("quantbus_watchdog_last_timestamp_seconds", 90)),
    "ReconcileDiffers": (MONITOR, finding("account_unknown")),
    "OrdersInDoubt": (MONITOR, finding("orders_in_doubt")),
    "AccountLost": (MONITOR, finding("account_lost")),
    "ReplicaLag": (MONITOR, finding("replica_lag")),
    "DiskLow": (MONITOR, finding("disk_low")),
    "ExchangeErrorsHigh": (INGESTION, total_above("quantbus_exchange_errors_total", 20)),
    "SourcesDisagree": (INGESTION, total_above("quantbus_source_disagreements_total", 0)),
    "ReplicaOut": (MONITOR, finding("replica_out")),
    "ReconcileStale": (MONITOR, older("quantbus_reconcile_last_success_timestamp_seconds", 60)),
    "MonitorLoopStale": (MONITOR, older("quantbus_monitor_last_cycle_timestamp_seconds", 30)),
    "CandleStaleUnknown": (MONITOR, absent("quantbus_candle_due_timestamp_seconds")),
    "SignalMissingUnknown": (MONITOR, absent("quantbus_strategy_run_due_timestamp_seconds")),
    "ReconcileStaleUnknown": (MONITOR, absent("quantbus_reconcile_last_success_timestamp_seconds")),
}
"""Which process's metrics say that a rule's condition is true."""


def silence_the_watchdog(stage: Footing) -> None:
    """Silence the Watchdog in Alertmanager, as somebody does who is tired of it."""
    now = datetime.now(UTC)
    asked = {
        "matchers": [{"name": "alertname", "value": "Watchdog", "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "test",
        "comment": "it always fires",
    }
    reply = httpx.post(f"{stage.alertmanager}/api/v2/silences", json=asked, timeout=10, trust_env=False)
    stage.silence = reply.raise_for_status().json()["silenceID"]


def hear_the_watchdog(stage: Footing) -> None:
    url = f"{stage.alertmanager}/api/v2/silence/{stage.silence}"
    httpx.delete(url, timeout=10, trust_env=False).raise_for_status()


def cut_off_account(stage: Footing) -> None:
    stage.account_line.to_server.black_hole = True


def account_back(stage: Footing) -> None:
    stage.account_line.to_server.black_hole = False


def hold_back_a_member(stage: Footing) -> None:
    stage.secondaries()[0].replicate(False)


def let_it_catch_up(stage: Footing) -> None:
    stage.secondaries()[0].replicate(True)
    stage.members.await_members()


def exchange_fails(stage: Footing) -> None:
    url = f"{stage.exchange}/paper/faults/unavailable"
    httpx.put(url, json={"path": "/api/v3/klines"}, timeout=10, trust_env=False).raise_for_status()


def exchange_is_back(stage: Footing) -> None:
    httpx.delete(f"{stage.exchange}/paper/faults/unavailable", timeout=10, trust_env=False).raise_for_status()


def second_bot_in_the_ledger(stage: Footing) -> None:
    """Let two bots write, while nobody has said which of them the monitor asks."""
    now = stage.connection.server_now()
    moments = dict.fromkeys(("available_at", "seen_at", "ordered_at"), now)
    rows = [
        make_execution(make_signal(ts=last_closed()), consumer_id=bot, state="ordered", **moments)
        for bot in ("paper-bot", "another-bot")
    ]
    ExecutionWriter(stage.connection).record(rows)


def slow_down(stage: Footing) -> None:
    """Let the bus answer after a second and the bot after almost three: none of it late enough to be an error."""
    stage.bus_line.to_client.delay_seconds = 1.2
    stage.api.pause_seconds = 2.7


def speed_up(stage: Footing) -> None:
    stage.bus_line.to_client.delay_seconds = 0.0
    stage.api.pause_seconds = 0.0


def lose_declarations(stage: Footing) -> None:
    stage.connection.client["quantbus_signals"]["strategies"].delete_many({})


def forget_the_bot(stage: Footing) -> None:
    """Start the monitor again without the address of its bot."""
    del stage.monitors.environment["QUANTBUS_MONITOR_FREQTRADE_URL"]
    stage.monitors.start()


WAVES: tuple[tuple[Fault[Footing], ...], ...] = (
    (Fault("MonitorLoopStale", "bus and bot slow, but answering", slow_down, speed_up),),
    (
        Fault(
            "DiskLow",
            "the bus's disk filled",
            lambda stage: stage.disk.fill(leaving=0.05),
            lambda stage: stage.disk.clear(),
            if_possible=lambda stage: stage.disk.why_not,
        ),
        Fault("ReplicaLag", "a member takes nothing over", hold_back_a_member, let_it_catch_up),
        Fault("OrdersInDoubt", "an order without an answer", lambda stage: stage.bot.lose_an_answer()),
        Fault("ExchangeErrorsHigh", "503 for every bar", exchange_fails, exchange_is_back),
        Fault("ReconcileDiffers", "the account's exchange cut off", cut_off_account, account_back),
        Fault("WatchdogNotHeard", "the Watchdog silenced", silence_the_watchdog, hear_the_watchdog),
    ),
    (
        Fault("ReplicaOut", "a member killed", lambda stage: stage.secondaries()[1].kill()),
        Fault("AccountLost", "another bot takes the account", lambda stage: stage.bot.lose_the_account()),
        Fault("SourcesDisagree", "two exchanges, two prices"),
        Fault("ReconcileStale", "two bots in the ledger, none named", second_bot_in_the_ledger),
    ),
    (
        Fault("SignalMissingUnknown", "declarations gone", lose_declarations),
        Fault("CandleStaleUnknown", "declarations gone"),
        Fault("ReconcileStaleUnknown", "a monitor that was told of no bot", forget_the_bot),
    ),
    (Fault("CandleGap", "bars that the exchange leaves out"),),
)
"""One after the other; what is in one wave is independent of each other."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Footing]:
    with running_footing(tmp_path, WATCHED) as made:
        began = time.time()
        eventually(
            lambda: (
                made.sampler.true_since("CandleGap", after=began)
                and not made.sampler.is_true("WatchdogNotHeard")
            ),
            within=180,
            what=f"ingestion and the Watchdog; read {tmp_path}",
        )
        yield made


def test_each_fault_of_the_footing_is_told_in_time(
    stage: Footing, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table(capsys)
    table.begin()
    play(stage, WAVES, table)
    table.end()
