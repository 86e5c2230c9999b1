"""The loop and its HTTP face, with bus and bot in memory."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts import Heartbeat
from quantbus_contracts.schema import RecordedFinding, finding_id
from quantbus_contracts.testing import FrozenClock, make_candle, make_execution, make_signal
from quantbus_services.monitor.app import create_app
from quantbus_services.monitor.board import Board
from quantbus_services.monitor.bot_readings import BotReadings
from quantbus_services.monitor.checks import CHECKS, Limits, Sources
from quantbus_services.monitor.metrics import (
    BotMetrics,
    ChainMetrics,
    LedgerMetrics,
    LoopMetrics,
    PlatformMetrics,
)
from quantbus_services.monitor.readings import Readings
from quantbus_services.monitor.runner import Runner
from quantbus_services.monitor.status import Status
from tests.unit.services.monitor.fake_bus import FakeBot, FakeBus, FakeFigures, open_trade, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class Monitor:
    """The monitor's parts around a bus and a bot in memory."""

    def __init__(self, bus: FakeBus, bot: FakeBot | None, clock: FrozenClock) -> None:
        self.registry = CollectorRegistry()
        self.beats: list[datetime] = []
        self.figures = FakeFigures()
        figures = self.figures if bot is not None else None
        sources = Sources(bus, bot=bot, figures=figures)
        checks = [make(sources) for make in CHECKS if bot is not None or "bot" not in make.needs]
        self.board = Board(tuple(check.name for check in checks), with_bot=bot is not None)
        self.runner = Runner(
            server_now=bus.server_now,
            beat=self.beat,
            clock=clock,
            view=bus,
            checks=checks,
            board=self.board,
            readings=Readings(
                bus,
                ChainMetrics(self.registry),
                LedgerMetrics(self.registry),
                PlatformMetrics(self.registry),
                Limits(),
            ),
            metrics=LoopMetrics(self.registry),
            bot=BotReadings(figures, BotMetrics(self.registry), "bot") if figures else None,
            limits=Limits(),
        )
        app = create_app(self.board, self.registry, clock, stuck_after=seconds(60), version="test")
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://monitor")

    async def beat(self, now: datetime) -> None:
        self.beats.append(now)

    async def code(self, path: str) -> int:
        return (await self.http.get(path)).status_code

    async def status(self) -> Status:
        return Status.model_validate_json((await self.http.get("/status")).content)

    def read(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"quantbus_{name}", labels)


@pytest.fixture
async def monitor(bus: FakeBus, bot: FakeBot, frozen_clock: FrozenClock) -> AsyncIterator[Monitor]:
    made = Monitor(bus, bot, frozen_clock)
    yield made
    await made.http.aclose()


async def test_it_is_alive_but_not_ready_before_the_first_cycle(monitor: Monitor) -> None:
    assert await monitor.code("/healthz") == 200
    assert await monitor.code("/readyz") == 503


async def test_it_is_ready_after_the_first_cycle_and_tells_the_bus_that_it_lives(monitor: Monitor) -> None:
    await monitor.runner.cycle()
    assert await monitor.code("/readyz") == 200
    assert set(monitor.beats) == {NOON}
    assert (await monitor.status()).ok
    assert monitor.read("bus_up") == 1
    assert monitor.board.became_ready.is_set()


async def test_a_dead_bus_makes_it_unready_not_dead_and_it_recovers_by_itself(
    bus: FakeBus, monitor: Monitor
) -> None:
    await monitor.runner.cycle()
    bus.go_down()
    await monitor.runner.cycle()
    assert await monitor.code("/healthz") == 200
    assert await monitor.code("/readyz") == 503
    assert await monitor.code("/metrics") == 200
    assert monitor.read("bus_up") == 0
    status = await monitor.status()
    assert not status.ok
    assert "down" in (status.bus_error or "")
    assert {check.name: check.outcome for check in status.checks if check.outcome != "not_run"} == {
        "bus_down": "found"
    }
    assert [finding.kind for finding in status.findings] == ["bus_down"]
    assert monitor.read("monitor_findings", check="bus_down") == 1
    assert monitor.read("monitor_findings", check="candle_stale") is None
    bus.go_down(down=False)
    await monitor.runner.cycle()
    assert await monitor.code("/readyz") == 200
    assert monitor.read("bus_up") == 1


async def test_a_loop_that_no_longer_turns_is_unhealthy(monitor: Monitor, frozen_clock: FrozenClock) -> None:
    await monitor.runner.cycle()
    frozen_clock.advance(seconds(61))
    assert await monitor.code("/healthz") == 503


async def test_a_finding_keeps_the_time_it_was_first_seen_and_goes_when_it_is_over(
    bus: FakeBus, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    strategy = bus.declare()
    bus.candles.write([make_candle(open_time=NOON + seconds(60 * minute)) for minute in range(20)])
    bus.evaluated(strategy, NOON)
    frozen_clock.set(NOON + seconds(200))
    await monitor.runner.cycle()
    frozen_clock.advance(seconds(30))
    await monitor.runner.cycle()
    status = await monitor.status()
    [finding] = status.findings
    assert (finding.check, finding.kind, finding.subject) == ("signal_missing", "signal_missing", "test")
    assert finding.since == NOON + seconds(200)
    assert not status.ok
    assert status.strategies[0].silent
    assert monitor.read("monitor_findings", check="signal_missing") == 1
    silence = {"check": "signal_missing", "kind": "signal_missing", "severity": "critical"}
    silence |= {"subject": "test", "strategy_id": "test", "pair": ""}
    since = monitor.read("finding_since_timestamp_seconds", **silence)
    assert since == (NOON + seconds(200)).timestamp()
    bus.evaluated(strategy, NOON + seconds(180))
    frozen_clock.advance(seconds(10))
    await monitor.runner.cycle()
    assert (await monitor.status()).ok
    assert monitor.read("monitor_findings", check="signal_missing") == 0
    assert monitor.read("finding_since_timestamp_seconds", **silence) is None


async def test_each_check_has_its_own_pace(bus: FakeBus, monitor: Monitor, frozen_clock: FrozenClock) -> None:
    await monitor.runner.cycle()
    frozen_clock.advance(seconds(5))
    await monitor.runner.cycle()
    looked = {check.name: check.checked_at for check in (await monitor.status()).checks}
    assert looked["candle_stale"] == NOON + seconds(5)
    assert looked["signal_late"] == NOON


async def test_checks_go_on_when_the_clock_of_the_bus_is_set_back(
    bus: FakeBus, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    await monitor.runner.cycle()
    frozen_clock.advance(timedelta(hours=-1))
    await monitor.runner.cycle()
    assert all(check.checked_at == frozen_clock.now() for check in (await monitor.status()).checks)


async def test_mismatches_are_counted_by_kind(bot: FakeBot, monitor: Monitor) -> None:
    bot.trades = [open_trade(None, NOON - timedelta(hours=1))]
    await monitor.runner.cycle()
    assert monitor.read("freqtrade_up") == 1
    assert monitor.read("reconcile_mismatches", kind="trade_without_signal") == 1
    assert monitor.read("reconcile_mismatches", kind="wrong_side") == 0
    assert monitor.read("reconcile_last_success_timestamp_seconds") == NOON.timestamp()
    assert (await monitor.status()).freqtrade == "up"


async def test_a_bot_that_does_not_answer_leaves_mismatches_unknown(
    bot: FakeBot, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    await monitor.runner.cycle()
    assert monitor.read("freqtrade_equity", consumer_id="bot", currency="USDT") == 1_000
    bot.down = monitor.figures.down = True
    frozen_clock.advance(seconds(30))
    await monitor.runner.cycle()
    assert monitor.read("freqtrade_up") == 0
    assert monitor.read("reconcile_mismatches", kind="trade_without_signal") is None
    assert monitor.read("reconcile_last_success_timestamp_seconds") == NOON.timestamp()
    assert monitor.read("monitor_check_failures_total", check="position_mismatch") == 1
    status = await monitor.status()
    assert not status.ok
    assert status.freqtrade == "down"
    unknown = {check.name: check.error for check in status.checks if check.outcome == "unknown"}
    assert unknown.keys() == {make.name for make in CHECKS if "bot" in make.needs}
    assert set(unknown.values()) == {"the bot is down (fake)"}
    assert monitor.read("freqtrade_equity", consumer_id="bot", currency="USDT") is None
    assert monitor.read("monitor_findings", check="drawdown_high") is None
    known_at = monitor.read("monitor_check_last_known_timestamp_seconds", check="drawdown_high")
    assert known_at == NOON.timestamp()


async def test_without_a_bot_positions_are_not_compared_and_no_figure_claims_so(
    bus: FakeBus, frozen_clock: FrozenClock
) -> None:
    monitor = Monitor(bus, None, frozen_clock)
    await monitor.runner.cycle()
    status = await monitor.status()
    assert status.ok
    assert status.freqtrade == "not_configured"
    assert "position_mismatch" not in [check.name for check in status.checks]
    assert monitor.read("freqtrade_up") is None
    await monitor.http.aclose()


async def test_the_summary_tells_each_strategy_and_each_consumer(
    bus: FakeBus, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    strategy = bus.declare()
    frozen_clock.set(NOON + seconds(65))
    signal = make_signal(ts=NOON)
    bus.signal_store.publish([signal])
    bus.evaluated(strategy, NOON, signals=1)
    bus.ledger.record(
        [
            make_execution(
                signal,
                state="refused",
                reason="stale",
                available_at=NOON + seconds(65),
                seen_at=NOON + seconds(66),
            )
        ]
    )
    frozen_clock.advance(seconds(3))
    await monitor.runner.cycle()
    status = await monitor.status()
    [told] = status.strategies
    assert (told.strategy_id, told.last_run, told.last_signal) == ("test", NOON, NOON)
    assert (told.recent_signals, told.worst_publish_delay_seconds, told.silent) == (1, 5.0, False)
    [consumer] = status.consumers
    assert (consumer.consumer_id, consumer.states, consumer.refused) == ("bot", {"refused": 1}, {"stale": 1})
    assert consumer.worst_consume_delay_seconds == 1.0


async def test_a_cycle_that_breaks_does_not_end_the_loop(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0

    async def cycle() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise ZeroDivisionError
        if turns == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(monitor.runner, "cycle", cycle)
    with pytest.raises(asyncio.CancelledError):
        await monitor.runner.run(timedelta(0))
    assert turns == 3


async def test_an_unforeseen_failure_that_never_ends_ends_the_process(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cycle() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(monitor.runner, "cycle", cycle)
    with pytest.raises(ZeroDivisionError):
        await monitor.runner.run(timedelta(0))


def taken_on(kind: str, subject: str, *, evidence: str = "") -> RecordedFinding:
    return RecordedFinding(
        finding_id=finding_id(kind, kind, subject),
        check=kind,
        kind=kind,
        subject=subject,
        severity="critical",
        message="it stands",
        action="look",
        evidence=evidence,
        first_seen=NOON,
        last_seen=NOON,
        episode=1,
        acknowledged_at=NOON,
        acknowledged_by="anna",
        acknowledged_reason="switched off on purpose",
        acknowledged_evidence=evidence,
    )


async def test_a_finding_of_any_check_that_somebody_took_on_calls_nobody(
    bus: FakeBus, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    bus.beats.beat(Heartbeat(process="ingestion", instance="old", at=NOON, started_at=NOON, version="1"))
    frozen_clock.advance(seconds(90))
    series = {"check": "heartbeat_lost", "kind": "heartbeat_lost", "severity": "critical"}
    series |= {"subject": "ingestion/old", "strategy_id": "", "pair": ""}
    await monitor.runner.cycle()
    assert monitor.read("finding_since_timestamp_seconds", **series) is not None
    assert not (await monitor.status()).ok
    bus.findings = [taken_on("heartbeat_lost", "ingestion/old")]
    frozen_clock.advance(seconds(10))
    await monitor.runner.cycle()
    status = await monitor.status()
    assert [finding.acknowledged for finding in status.findings] == [True]
    assert status.ok
    assert monitor.read("finding_since_timestamp_seconds", **series) is None


async def test_a_loss_that_was_taken_on_calls_again_once_it_is_a_multiple_of_what_it_was(
    bus: FakeBus, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    bus.findings = [taken_on("drawdown_high", "freqtrade", evidence="limit x 1")]
    for drawdown, is_quiet in ((0.2, True), (0.29, True), (0.31, False)):
        monitor.figures.given = {"drawdown_ratio": drawdown}
        frozen_clock.advance(seconds(10))
        await monitor.runner.cycle()
        [finding] = (await monitor.status()).findings
        assert finding.acknowledged is is_quiet


async def test_a_check_that_never_knew_its_answer_ages_from_the_first_look(
    bus: FakeBus, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    bus.server = None
    for _ in range(2):
        await monitor.runner.cycle()
        frozen_clock.advance(seconds(30))
    known_at = monitor.read("monitor_check_last_known_timestamp_seconds", check="disk_low")
    assert known_at == NOON.timestamp()


async def test_one_row_that_nobody_understands_blinds_the_checks_that_need_it_and_no_other(
    bus: FakeBus, bot: FakeBot, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def heartbeats() -> list[Heartbeat]:
        return [Heartbeat.model_validate({"process": "ingestion", "shoe_size": 43})]

    monkeypatch.setattr(bus, "heartbeats", heartbeats)
    bot.trades = [open_trade(None, NOON - seconds(600))]
    await monitor.runner.cycle()
    status = await monitor.status()
    assert not status.ok
    assert [finding.kind for finding in status.findings] == ["trade_without_signal"]
    unknown = {check.name: check.error or "" for check in status.checks if check.outcome == "unknown"}
    assert set(unknown) >= {"heartbeat_lost", "orders_in_doubt"}
    assert "candle_stale" not in unknown
    assert "Heartbeat" in unknown["heartbeat_lost"]
    assert await monitor.code("/readyz") == 200


async def test_what_stood_is_not_over_because_it_cannot_be_looked_at(
    bus: FakeBus, bot: FakeBot, monitor: Monitor, frozen_clock: FrozenClock
) -> None:
    bot.trades = [open_trade(None, NOON - seconds(600))]
    series = {"check": "position_mismatch", "kind": "trade_without_signal", "severity": "critical"}
    series |= {"subject": "- BTC/USDT #1", "strategy_id": "", "pair": "BTC/USDT"}
    await monitor.runner.cycle()
    assert monitor.read("finding_since_timestamp_seconds", **series) is not None
    bot.down = True
    frozen_clock.advance(seconds(10))
    await monitor.runner.cycle()
    assert monitor.read("finding_since_timestamp_seconds", **series) is not None
    bus.go_down()
    await monitor.runner.cycle()
    assert monitor.read("finding_since_timestamp_seconds", **series) is not None
    bus.go_down(down=False)
    bot.down, bot.trades = False, []
    frozen_clock.advance(seconds(10))
    await monitor.runner.cycle()
    assert monitor.read("finding_since_timestamp_seconds", **series) is None
