"""Real faults of a real stack, each measured from its rule's condition to the delivered message.

mongod, paper exchange, ingestion, Freqtrade, monitor, Prometheus and Alertmanager, all as processes of their own.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import start_server
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.schema import ExecutionState, Strategy
from quantbus_contracts.testing import make_execution, make_signal
from tests.e2e.bot import Bot
from tests.e2e.bus_view import CONSUMER, PAIRS, STRATEGY, last_closed
from tests.e2e.stack import (
    Bus,
    beside_python,
    environment_of,
    make_bot,
    next_closed,
    run_quantbus,
    start_exchange,
)
from tests.e2e.waiting import eventually
from tests.fixtures.tcp_proxy import TcpProxy, running_proxy
from tests.integration.monitor.alerting.conditions import (
    Sampler,
    above,
    equals,
    finding,
    gone,
    older,
    overdue,
)
from tests.integration.monitor.alerting.receivers import Inbox, Messenger, mail_server
from tests.integration.monitor.alerting.stopwatch import (
    MOST_SECONDS,
    Fault,
    Row,
    Table,
    moment,
    play,
    waits_of,
)
from tests.integration.monitor.alerting.towers import (
    free_port,
    running_alertmanager,
    running_prometheus,
)
from tests.integration.monitor.running import RunningMonitor, running_monitor

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(3600)]

DEADMAN_SECONDS = 40.0
RESEND_SECONDS = 5
MONITOR, INGESTION = "quantbus-monitor", "quantbus-ingestion"
WATCHED = {
    "SignalLate": (MONITOR, finding("signal_late")),
    "SignalsUnseen": (MONITOR, finding("signals_unseen")),
    "SignalMissing": (MONITOR, overdue("quantbus_strategy_run_due", "silent")),
    "SignalsRefusedHigh": (MONITOR, finding("refused_share")),
    "SignalOffWhitelist": (MONITOR, finding("whitelist_exposure")),
    "SlippageHigh": (MONITOR, finding("slippage_high")),
    "DrawdownHigh": (MONITOR, finding("drawdown_high")),
    "DailyLossHigh": (MONITOR, finding("daily_loss")),
    "CheckUnknown": (MONITOR, older("quantbus_monitor_check_last_known_timestamp_seconds", 180)),
    "OrderConsecutiveRejects": (MONITOR, finding("order_rejects")),
    "BalanceLow": (MONITOR, finding("balance_low")),
    "ControlForgotten": (MONITOR, finding("controls_forgotten")),
    "AuditBroken": (MONITOR, finding("audit_broken")),
    "ReconcileMismatch": (MONITOR, finding("trade_without_signal")),
    "ClockSkew": (MONITOR, finding("clock_offset")),
    "ExchangeLimited": (MONITOR, finding("exchange_limited")),
    "ExchangeBanned": (MONITOR, finding("exchange_banned")),
    "CandleStale": (MONITOR, overdue("quantbus_candle_due", "")),
    "ExecutorLoopStale": (MONITOR, finding("executor_loop_stale")),
    "BotDown": (MONITOR, equals("quantbus_freqtrade_up", 0)),
    "HeartbeatLost": (MONITOR, finding("heartbeat_lost", "ingestion")),
    "TargetDown": (INGESTION, gone),
    "BusDown": (MONITOR, equals("quantbus_bus_up", 0)),
    "AlertDeliveryFailing": (MONITOR, above("quantbus_alert_messages_total", 0, 'outcome="failed"')),
    "MonitorDown": (MONITOR, gone),
}
"""Which process's metrics say that a rule's condition is true."""


@dataclass
class Stack:
    """Everything that a fault is done to, and everybody who is told."""

    bus: Bus
    exchange: str
    bot: Bot
    ingestion: "subprocess.Popen[bytes]"
    monitor: RunningMonitor
    proxy: TcpProxy
    sampler: Sampler
    messenger: Inbox
    mail: Inbox
    freeze: Callable[[], None]
    thaw: Callable[[], None]
    waits: dict[str, float]


def start_ingestion(
    folder: Path, environment: dict[str, str], exchange: str, port: int
) -> "subprocess.Popen[bytes]":
    words = [
        "ingest",
        "live",
        "--symbols",
        "BTC/USDT,ETH/USDT",
        "--timeframes",
        "1m",
        "--venue-url",
        exchange,
    ]
    with (folder / "ingestion.log").open("wb") as log:
        return subprocess.Popen(
            [str(beside_python("quantbus")), *words, "--metrics-port", str(port)],
            env={
                **environment,
                "QUANTBUS_INGESTION_CLOCK_CHECK_SECONDS": "10",
                "QUANTBUS_INGESTION_HEARTBEAT_SECONDS": "3",
                "QUANTBUS_INGESTION_STREAM": "false",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def declare(bus: Bus, strategy_id: str, *, cadence_bars: int | None) -> None:
    SignalBus(bus.connection, publisher="test").declare(
        Strategy(
            strategy_id=strategy_id,
            venue="BINANCE",
            timeframe="1m",
            pairs=("BTC/USDT",),
            cadence_bars=cadence_bars,
            max_delay_seconds=2,
        )
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
    process.wait(timeout=30)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.setattr("tests.e2e.bot._BOOT_SECONDS", 600.0)  # a machine that does other things as well
    home = tmp_path / "home"
    plain = environment_of(home)
    with ExitStack() as ending:
        bus = Bus(start_server(home))
        ending.callback(bus.close)
        run_quantbus(["bus", "init"], plain)
        bus.declare()
        declare(bus, "read", cadence_bars=None)
        declare(bus, "silent", cadence_bars=1)
        exchange = start_exchange(tmp_path, plain, ending)
        bot = make_bot(tmp_path, exchange, plain, pairs=PAIRS[:-1])
        config = json.loads((tmp_path / "bot.json").read_text())
        config |= {"dry_run_wallet": 1000.0, "force_entry_enable": True}
        (tmp_path / "bot.json").write_text(json.dumps(config))
        ending.callback(bot.stop)
        bot.start()
        port = free_port()
        ingestion = start_ingestion(tmp_path, plain, exchange, port)
        ending.callback(end, ingestion)
        messenger = ending.enter_context(Messenger())
        mail = ending.enter_context(mail_server())
        proxy = ending.enter_context(running_proxy(bus.port))
        addresses = tmp_path / "messengers"
        addresses.write_text(f"{messenger.address}\njson://127.0.0.1:{free_port()}/nobody\n")
        api = config["api_server"]
        settings = {
            "QUANTBUS_MONGO_URI": f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true",
            "QUANTBUS_MONITOR_ALERT_URLS_FILE": str(addresses),
            "QUANTBUS_MONITOR_DEADMAN_AFTER_SECONDS": str(DEADMAN_SECONDS),
            "QUANTBUS_MONITOR_FREQTRADE_URL": f"http://127.0.0.1:{api['listen_port']}",
            "QUANTBUS_MONITOR_FREQTRADE_USER": api["username"],
            "QUANTBUS_MONITOR_FREQTRADE_PASSWORD": api["password"],
            "QUANTBUS_MONITOR_FREQTRADE_CONSUMER": CONSUMER,
            "QUANTBUS_MONITOR_BALANCE_FLOORS": '{"USDT": 965}',
            "QUANTBUS_MONITOR_DRAWDOWN_RATIO": "0.0005",  # less than fees take from one large trade
            "QUANTBUS_MONITOR_DAILY_LOSS_RATIO": "0.0005",
            "QUANTBUS_MONITOR_CANDLE_GRACE_SECONDS": "10",
            "QUANTBUS_MONITOR_UNSEEN_AFTER_SECONDS": "10",
            "QUANTBUS_MONITOR_HEARTBEAT_LOST_AFTER_SECONDS": "20",
            "QUANTBUS_MONITOR_SETTLE_SECONDS": "10",
            "QUANTBUS_MONITOR_LOOP_STALE_AFTER_SECONDS": "20",
            "QUANTBUS_MONITOR_CONTROL_FORGOTTEN_AFTER_SECONDS": "5",
            "QUANTBUS_MONITOR_LIMITED_WITHIN_SECONDS": "20",
            "QUANTBUS_MONITOR_BLOCK_ENTRIES": "never",
        }
        monitor = ending.enter_context(running_monitor(tmp_path, {**plain, **settings}, "--interval", "3"))
        alertmanager = ending.enter_context(running_alertmanager(tmp_path, monitor.url, messenger, mail))
        targets = {MONITOR: monitor.url, INGESTION: f"http://127.0.0.1:{port}"}
        prometheus = ending.enter_context(
            running_prometheus(tmp_path, targets, alertmanager, resend_seconds=RESEND_SECONDS)
        )
        sampler = ending.enter_context(Sampler(targets, WATCHED))
        waits = eventually(lambda: waits_of(prometheus.url), within=30, what="Prometheus's rules")
        yield Stack(
            bus,
            exchange,
            bot,
            ingestion,
            monitor,
            proxy,
            sampler,
            messenger.inbox,
            mail.inbox,
            prometheus.freeze,
            prometheus.thaw,
            waits,
        )


def set_fault(stack: Stack, name: str, **numbers: float) -> None:
    reply = httpx.put(f"{stack.exchange}/paper/faults/{name}", json=numbers, timeout=10, trust_env=False)
    assert reply.status_code < 300, reply.text


def clear_faults(stack: Stack) -> None:
    httpx.delete(f"{stack.exchange}/paper/faults", timeout=10, trust_env=False).raise_for_status()


def late_and_unread(stack: Stack) -> None:
    bar = next_closed(last_closed())
    time.sleep(4)  # the strategy declared two
    made = make_signal(strategy_id="read", pair="BTC/USDT", action="enter_long", ts=bar)
    report = SignalBus(stack.bus.connection, publisher="test").publish([made])
    assert report.ok, report.as_dict()


def orders_rejected(stack: Stack) -> None:
    now = datetime.now(UTC)
    rows = [
        make_execution(
            make_signal(strategy_id="turned-away", ts=last_closed() - timedelta(minutes=number)),
            consumer_id="turned-away-bot",
            state=ExecutionState.REJECTED,
            reason="venue_rejected",
            available_at=now - timedelta(seconds=5),
            seen_at=now - timedelta(seconds=4),
        )
        for number in range(3)
    ]
    ExecutionWriter(stack.bus.connection).record(rows)


def signals_refused(stack: Stack) -> None:
    now = datetime.now(UTC)
    rows = [
        make_execution(
            make_signal(strategy_id="unwanted", ts=last_closed() - timedelta(minutes=number)),
            consumer_id="choosy-bot",
            state=ExecutionState.REFUSED,
            reason="stale",
            available_at=now - timedelta(seconds=5),
            seen_at=now - timedelta(seconds=4),
        )
        for number in range(6)
    ]
    ExecutionWriter(stack.bus.connection).record(rows)


def control_left_standing(stack: Stack) -> None:
    run_quantbus(
        ["controls", "block", "--scope", "pair:LTC/USDT", "--reason", "forgotten"],
        environment_of(Path(stack.bot.log).parent / "home"),
    )


def audit_tampered(stack: Stack) -> None:
    audit = stack.bus.connection.client["quantbus_signals"]["signals_audit"]
    row = audit.find_one({})
    assert row is not None
    audit.delete_one({"_id": row["_id"]})


def balance_drained(stack: Stack) -> None:
    for pair in ("BTC/USDT", "ETH/USDT"):
        stack.bus.publish(pair, "enter_long")


def bought_dear(stack: Stack) -> None:
    """Let the bot buy at the market what the signal saw two percent cheaper."""
    found = httpx.get(
        f"{stack.exchange}/api/v3/ticker/price", params={"symbol": "ADAUSDT"}, timeout=10, trust_env=False
    ).raise_for_status()
    price = float(found.json()["price"])
    made = make_signal(
        strategy_id=STRATEGY, pair="ADA/USDT", action="enter_long", ts=last_closed(), ref_price=price / 1.02
    )
    report = SignalBus(stack.bus.connection, publisher="test").publish([made])
    assert report.ok, report.as_dict()


def off_the_whitelist(stack: Stack) -> None:
    stack.bus.publish(PAIRS[-1], "enter_long")


def money_lost(stack: Stack) -> None:
    """Let the bot buy and sell at once for much of what it has: fees and spread are lost for good."""
    made = stack.bot.tell("/forceenter", {"pair": "XRP/USDT", "side": "long", "stakeamount": 600})
    number = made["trade_id"]
    eventually(
        lambda: [one for one in stack.bot.ask("/status") if one["trade_id"] == number and one["amount"]],
        within=30,
        what="a trade to lose with",
    )
    stack.bot.tell("/forceexit", {"tradeid": str(number)})


def trade_by_hand(stack: Stack) -> None:
    stack.bot.tell("/forceenter", {"pair": "SOL/USDT", "side": "long"})


def exchange_silent(stack: Stack) -> None:
    set_fault(stack, "unavailable")


def clock_jumps(stack: Stack) -> None:
    set_fault(stack, "clock_jump", seconds=5)


def rate_limited(stack: Stack) -> None:
    set_fault(stack, "rate_limited", retry_after=3)


def banned(stack: Stack) -> None:
    set_fault(stack, "banned", seconds=30)


def bus_cut(stack: Stack) -> None:
    stack.proxy.to_server.black_hole = True
    stack.proxy.to_client.black_hole = True


def bus_back(stack: Stack) -> None:
    stack.proxy.to_server.black_hole = False
    stack.proxy.to_client.black_hole = False


WAVES: tuple[tuple[Fault[Stack], ...], ...] = (
    (
        Fault("OrderConsecutiveRejects", "three rejected orders", orders_rejected),
        Fault("SignalsRefusedHigh", "six refusals", signals_refused),
        Fault("ControlForgotten", "a control without an end", control_left_standing),
        Fault("BalanceLow", "trades drain the balance", balance_drained),
        Fault("DrawdownHigh", "a large trade loses its fees", money_lost),
        Fault("DailyLossHigh", "a large trade loses its fees"),
        Fault("SlippageHigh", "bought two percent too dear", bought_dear),
        Fault("SignalOffWhitelist", "a pair that the bot may not enter", off_the_whitelist),
        Fault("ReconcileMismatch", "a trade by hand", trade_by_hand),
        Fault("SignalLate", "a signal after its time", late_and_unread),
        Fault("SignalsUnseen", "a strategy that no bot follows"),
        Fault("AuditBroken", "a row of the audit removed", audit_tampered),
        Fault("AlertDeliveryFailing", "a messenger that is not there"),
        Fault("SignalMissing", "evaluations held back"),
    ),
    (
        Fault("ClockSkew", "the exchange's clock jumps", clock_jumps, clear_faults),
        Fault("ExecutorLoopStale", "the bot's loop stopped", lambda stack: stack.bot.tell("/stop")),
    ),
    (
        Fault("ExchangeLimited", "429 for every request", rate_limited, clear_faults),
        Fault("BotDown", "the bot killed", lambda stack: stack.bot.kill()),
    ),
    (Fault("CandleStale", "503 for every request", exchange_silent, clear_faults),),
    (Fault("ExchangeBanned", "418", banned, clear_faults),),
    (
        Fault("TargetDown", "ingestion killed", lambda stack: end(stack.ingestion)),
        Fault("HeartbeatLost", "ingestion killed"),
        Fault("CheckUnknown", "the bot killed, some waves ago"),
    ),
    (Fault("BusDown", "the bus cut off", bus_cut, bus_back),),
)
"""One after the other; what is in one wave is independent of each other."""


def frozen_prometheus(stack: Stack) -> Row:
    stack.freeze()
    frozen_at = time.time()
    silent = eventually(
        lambda: stack.messenger.first("WatchdogSilent", since=frozen_at),
        within=240,
        what="the dead-man's message",
    )
    stack.thaw()
    # Alertmanager keeps an alert for four times the interval at which Prometheus repeats it.
    allowed = MOST_SECONDS + DEADMAN_SECONDS + 4 * RESEND_SECONDS
    return Row("WatchdogSilent", "Prometheus frozen", 0.0, silent.at - frozen_at, allowed)


def killed_monitor(stack: Stack) -> Row:
    killed_at = time.time()
    stack.monitor.process.send_signal(signal.SIGKILL)
    mail = eventually(
        lambda: stack.mail.first("MonitorDown", since=killed_at), within=120, what="a mail about the monitor"
    )
    true_at = moment(lambda: stack.sampler.true_since("MonitorDown", after=killed_at), within=10)
    allowed = MOST_SECONDS + stack.waits["MonitorDown"]
    return Row("MonitorDown", "the monitor killed; by mail", true_at - killed_at, mail.at - true_at, allowed)


def test_each_fault_is_told_in_time(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(capsys)
    table.begin()
    play(stack, WAVES, table)
    table.keep(frozen_prometheus(stack))
    table.keep(killed_monitor(stack))
    table.end()
