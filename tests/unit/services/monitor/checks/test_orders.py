"""Orders and money: `order_rejects`, `slippage_high`, `balance_low`, `drawdown_high`, `daily_loss`."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Execution, Heartbeat
from quantbus_contracts.schema import Balance
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor.checks import Limits, Sources
from quantbus_services.monitor.checks.orders import (
    BalanceLow,
    DailyLoss,
    DrawdownHigh,
    OrderRejects,
    SlippageHigh,
)
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from tests.unit.services.monitor.fake_bus import FakeBus, FakeFigures, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def row(number: int, state: str, **given: object) -> Execution:
    """Return the ``number``-th row of the ledger, ten seconds after the one before."""
    signal = make_signal(ts=NOON - timedelta(minutes=number))
    at = NOON + seconds(10 * number)
    reason = {"refused": "stale", "rejected": "order_rejected"}.get(state)
    fields: dict[str, object] = {"available_at": at, "seen_at": at, "ordered_at": at, "reason": reason}
    if state == "filled":
        fields |= {"filled_at": at, "price": 1.0, "amount": 1.0}
    return make_execution(signal, state=state, **fields | given)


@pytest.mark.parametrize(
    ("states", "found"),
    [
        (["rejected"] * 2, False),
        (["rejected"] * 3, True),
        (["filled", "rejected", "rejected", "rejected"], True),
        (["rejected", "rejected", "filled", "rejected"], False),
        (["rejected", "rejected", "rejected", "ordered"], False),
        (["rejected", "refused", "rejected", "rejected"], True),  # a refusal never reached the venue
    ],
)
async def test_three_rejections_in_a_row_are_found_and_an_order_ends_them(
    bus: FakeBus, states: list[str], found: bool
) -> None:
    bus.ledger.record([row(number, state) for number, state in enumerate(states)])
    findings = await OrderRejects(Sources(bus)).check(NOON + seconds(60))
    assert [item.subject for item in findings] == (["bot"] if found else [])


async def test_rejections_of_two_bots_are_no_row_and_old_ones_are_forgotten(bus: FakeBus) -> None:
    others = [row(number, "rejected", consumer_id=f"bot-{number % 2}") for number in range(4)]
    bus.ledger.record(others)
    assert await OrderRejects(Sources(bus)).check(NOON + seconds(60)) == []
    bus.ledger.record([row(number, "rejected") for number in range(3)])
    assert await OrderRejects(Sources(bus)).check(NOON + timedelta(hours=1, seconds=1)) == []


@pytest.mark.parametrize(
    ("slippages", "found"),
    [
        ([0.02, -0.01, 0.0], False),
        ([0.004], False),
        ([0.006], True),
        ([0.02, 0.0, None], True),
        ([None], False),
    ],
)
async def test_slippage_counts_on_average_where_there_is_a_reference(
    bus: FakeBus, slippages: list[float | None], found: bool
) -> None:
    bus.ledger.record([row(number, "filled", slippage=value) for number, value in enumerate(slippages)])
    findings = await SlippageHigh(Sources(bus)).check(NOON + seconds(60))
    assert [item.subject for item in findings] == (["bot"] if found else [])
    assert await SlippageHigh(Sources(bus)).check(NOON + timedelta(hours=2)) == []


@pytest.mark.parametrize(("free", "found"), [(50.0, False), (49.9, True), (-1.0, True)])
async def test_a_balance_is_low_below_the_floor_of_its_currency(
    bus: FakeBus, free: float, found: bool
) -> None:
    bus.books.record(
        [
            Balance(consumer_id="bot", currency="USDT", total=100.0, free=free, at=NOON, dry_run=True),
            Balance(consumer_id="bot", currency="BTC", total=0.0, free=0.0, at=NOON, dry_run=True),
        ]
    )
    limits = Limits(balance_floors={"USDT": 50.0})
    findings = await BalanceLow(Sources(bus, limits)).check(NOON)
    assert [item.subject for item in findings] == (["bot USDT"] if found else [])
    assert await BalanceLow(Sources(bus)).check(NOON) == []


@pytest.mark.parametrize(("silent", "found"), [(timedelta(days=1), True), (timedelta(days=8), False)])
async def test_the_last_balance_of_a_bot_that_was_taken_out_of_service_calls_nobody(
    bus: FakeBus, silent: timedelta, found: bool
) -> None:
    bus.books.record(
        [Balance(consumer_id="bot", currency="USDT", total=0.0, free=0.0, at=NOON, dry_run=False)]
    )
    bus.beats.beat(
        Heartbeat(process="executor", instance="bot", at=NOON - silent, started_at=NOON - silent, version="1")
    )
    limits = Limits(balance_floors={"USDT": 50.0})
    assert bool(await BalanceLow(Sources(bus, limits)).check(NOON)) is found


async def test_a_bot_that_left_a_signal_for_want_of_money_is_found_without_any_floor(bus: FakeBus) -> None:
    bus.ledger.record([row(0, "refused", reason="no_balance")])
    [finding] = await BalanceLow(Sources(bus)).check(NOON + seconds(60))
    assert (finding.kind, finding.subject) == ("balance_short", "bot")
    assert await BalanceLow(Sources(bus)).check(NOON + timedelta(hours=2)) == []


@pytest.mark.parametrize(("ratio", "found"), [(0.0, False), (0.15, False), (0.16, True)])
async def test_a_drawdown_is_high_above_the_limit(bus: FakeBus, ratio: float, found: bool) -> None:
    check = DrawdownHigh(Sources(bus, figures=FakeFigures({"drawdown_ratio": ratio})))
    assert bool(await check.check(NOON)) is found


@pytest.mark.parametrize(("profit", "found"), [(0.2, False), (-0.05, False), (-0.06, True)])
async def test_a_day_s_loss_is_found_above_the_limit_and_a_gain_never(
    bus: FakeBus, profit: float, found: bool
) -> None:
    check = DailyLoss(Sources(bus, figures=FakeFigures({"day_profit_ratio": profit})))
    assert bool(await check.check(NOON)) is found


@pytest.mark.parametrize("make", [DrawdownHigh, DailyLoss])
async def test_the_losses_of_a_bot_that_does_not_answer_are_unknown(
    bus: FakeBus, make: type[DrawdownHigh] | type[DailyLoss]
) -> None:
    with pytest.raises(BotUnavailable):
        await make(Sources(bus, figures=FakeFigures(down=True))).check(NOON)
