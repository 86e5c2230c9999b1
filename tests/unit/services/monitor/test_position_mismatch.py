"""What the bot holds against what signals and ledger say: `position_mismatch`."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Signal
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import Lease, RecordedFinding, finding_id
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.orders import PositionMismatch
from quantbus_services.monitor.findings import Finding
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from tests.unit.services.monitor.fake_bus import FakeBot, FakeBus, open_trade, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CLOSE = NOON + seconds(60)
LATER = NOON + timedelta(minutes=10)
ENTRY = make_signal(ts=NOON)


def lease(consumer_id: str) -> Lease:
    return Lease(
        account=f"account of {consumer_id}".replace(" ", "-"),
        consumer_id=consumer_id,
        holder="h",
        process="p",
        host="here",
        taken_at=NOON,
        renewed_at=NOON,
        expires_at=LATER,
    )


def recorded(finding: Finding) -> RecordedFinding:
    return RecordedFinding(
        finding_id=finding_id("position_mismatch", finding.kind, finding.subject),
        check="position_mismatch",
        kind=finding.kind,
        subject=finding.subject,
        severity="critical",
        message=finding.message,
        action=finding.action,
        evidence=finding.evidence,
        blocks=finding.blocks,
        first_seen=NOON,
        last_seen=NOON,
        episode=1,
    )


async def found(bus: FakeBus, bot: FakeBot, now: datetime = LATER) -> list[Finding]:
    return await PositionMismatch(Sources(bus, bot=bot)).check(now)


def enter(bus: FakeBus, signal: Signal = ENTRY, **given: object) -> None:
    bus.declare()
    bus.clock.set(signal.closes_at)
    bus.signal_store.publish([signal])
    fields = {"state": "filled", "trade_id": 1, "filled_at": signal.closes_at + seconds(5), **given}
    bus.ledger.record([make_execution(signal, **fields)])


async def test_an_open_trade_that_a_filled_entry_explains_is_fine(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE)]
    assert await found(bus, bot) == []


async def test_nothing_open_and_nothing_meant_is_fine(bus: FakeBus, bot: FakeBot) -> None:
    bus.declare()
    assert await found(bus, bot) == []


async def test_a_trade_that_no_signal_opened_is_found(bus: FakeBus, bot: FakeBot) -> None:
    bot.trades = [open_trade(None, CLOSE)]
    [finding] = await found(bus, bot)
    assert finding.kind == "trade_without_signal"
    assert finding.subject == "- BTC/USDT #1"


async def test_a_trade_whose_signal_is_not_in_the_ledger_is_found_once_it_had_time_to_get_there(
    bus: FakeBus, bot: FakeBot
) -> None:
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE)]
    assert await found(bus, bot, CLOSE + seconds(59)) == []
    [finding] = await found(bus, bot, CLOSE + seconds(60))
    assert finding.kind == "trade_without_signal"


async def test_a_trade_opened_long_ago_finds_its_row_by_signal(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE)]
    assert await found(bus, bot, NOON + timedelta(days=30)) == []


async def test_a_trade_on_the_wrong_side_is_found(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE, direction="short")]
    [finding] = await found(bus, bot)
    assert finding.kind == "wrong_side"


@pytest.mark.parametrize(
    "opinion",
    [
        {"action": "exit_long"},
        {"action": "enter_short"},
        {"action": None, "weight": 0.0},
        {"action": None, "weight": -0.5},
    ],
)
async def test_a_trade_that_the_newest_signal_asks_to_leave_is_found_after_the_settle_time(
    bus: FakeBus, bot: FakeBot, opinion: dict[str, object]
) -> None:
    enter(bus)
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE)]
    leaving = make_signal(ts=NOON + seconds(60), **opinion)
    bus.clock.set(leaving.closes_at)
    bus.signal_store.publish([leaving])
    assert await found(bus, bot, leaving.closes_at + seconds(59)) == []
    [finding] = await found(bus, bot, leaving.closes_at + seconds(60))
    assert finding.kind == "open_against_signal"


@pytest.mark.parametrize(
    "opinion",
    [
        {"action": "enter_long"},
        {"action": "exit_short"},
        {"action": None, "weight": 0.5},
        {"action": None, "score": -1.0},
        {"action": "exit_long", "origin": "backfill"},
    ],
)
async def test_a_newest_signal_that_does_not_ask_to_leave_is_fine(
    bus: FakeBus, bot: FakeBot, opinion: dict[str, object]
) -> None:
    enter(bus)
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE)]
    bus.signal_store.publish([make_signal(ts=NOON + seconds(60), **opinion)])
    assert await found(bus, bot) == []


async def test_an_exit_whose_order_is_under_way_is_not_judged_yet(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE, in_flight=True)]
    bus.signal_store.publish([make_signal(ts=NOON + seconds(60), action="exit_long")])
    assert await found(bus, bot) == []


async def test_a_filled_entry_that_the_bot_knows_nothing_of_is_found(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    [finding] = await found(bus, bot)
    assert finding.kind == "filled_without_trade"


async def test_an_entry_without_trade_stands_when_the_ledger_is_no_longer_read_back_to_it(
    bus: FakeBus, bot: FakeBot
) -> None:
    enter(bus)
    [finding] = await found(bus, bot)
    bus.known_leases = [lease("bot")]
    bus.findings = [recorded(finding)]
    late = NOON + timedelta(days=3)
    assert [(one.kind, one.blocks) for one in await found(bus, bot, late)] == [
        ("filled_without_trade", "pair:BTC/USDT")
    ]
    bot.closed = {1}
    assert await found(bus, bot, late) == []


async def test_a_bot_that_has_been_quiet_for_days_is_known_by_its_lease(bus: FakeBus, bot: FakeBot) -> None:
    bus.known_leases = [lease("bot")]
    bot.trades = [open_trade(None, CLOSE)]
    [finding] = await found(bus, bot)
    assert finding.subject == "bot BTC/USDT #1"
    bus.known_leases.append(lease("other"))
    with pytest.raises(ConfigError, match="QUANTBUS_MONITOR_FREQTRADE_CONSUMER"):
        await found(bus, bot)


async def test_a_trade_that_a_stop_closed_is_explained_by_the_bot_and_asked_for_once(
    bus: FakeBus, bot: FakeBot
) -> None:
    enter(bus)
    bot.closed = {1}
    check = PositionMismatch(Sources(bus, bot=bot))
    assert await check.check(LATER) == []
    assert await check.check(LATER + seconds(10)) == []
    assert bot.asked_for_closed == 1


async def test_a_trade_that_an_exit_signal_closed_needs_no_question(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    leaving = make_signal(ts=NOON + seconds(60), action="exit_long")
    bus.ledger.record([make_execution(leaving, state="filled", trade_id=1)])
    assert await found(bus, bot) == []
    assert bot.asked_for_closed == 0


async def test_a_bot_that_does_not_answer_is_unknown_and_never_flat(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    bot.down = True
    with pytest.raises(BotUnavailable):
        await found(bus, bot)


async def test_several_consumers_need_to_be_told_apart(bus: FakeBus, bot: FakeBot) -> None:
    enter(bus)
    bus.ledger.record(
        [make_execution(ENTRY, consumer_id="other", state="filled", trade_id=7, filled_at=CLOSE)]
    )
    bot.trades = [open_trade(ENTRY.signal_id, CLOSE)]
    with pytest.raises(ConfigError, match="QUANTBUS_MONITOR_FREQTRADE_CONSUMER"):
        await found(bus, bot)
    assert await PositionMismatch(Sources(bus, bot=bot, consumer_id="bot")).check(LATER) == []
