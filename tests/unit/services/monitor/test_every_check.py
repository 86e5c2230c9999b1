"""What holds for every check in the list."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Heartbeat
from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.schema import (
    AuditFinding,
    Balance,
    BusHealth,
    Control,
    ControlKind,
    Gap,
    MemberHealth,
)
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor import checks
from quantbus_services.monitor.checks import CHECKS, Check, Limits, Sources
from quantbus_services.monitor.findings import Severity
from tests.unit.services.monitor.fake_bus import FakeBot, FakeBus, FakeFigures, open_trade, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
every_check = pytest.mark.parametrize("make", CHECKS, ids=lambda make: make.name)


FLOORS = Limits(balance_floors={"USDT": 10.0})


def everything_wrong(bus: FakeBus, bot: FakeBot, figures: FakeFigures) -> datetime:
    """Make a world in which every check but `bus_down` finds something; return the moment to look at it."""
    bus.declare()
    bus.clock.set(NOON + timedelta(minutes=2))
    bus.signal_store.publish([make_signal(ts=NOON)])
    now = NOON + timedelta(minutes=10)
    bus.clock.set(now)
    signals_go_wrong(bus, now)
    the_platform_goes_wrong(bus, now)
    bot.trades = [open_trade(None, NOON)]
    figures.given = {
        "last_process": NOON,
        "whitelist": frozenset(),
        "drawdown_ratio": 0.5,
        "day_profit_ratio": -0.5,
    }
    return now


def signals_go_wrong(bus: FakeBus, now: datetime) -> None:
    signals = [make_signal(ts=NOON - timedelta(minutes=minute)) for minute in range(1, 15)]
    seen = {"available_at": now - seconds(60), "seen_at": now - seconds(50)}
    filled = {"state": "filled", "ordered_at": now - seconds(40), "filled_at": now - seconds(30)}
    bus.ledger.record(
        [
            make_execution(signals[0], **seen, **filled, price=1.0, amount=1.0, slippage=0.1),
            *(
                make_execution(signal, **seen, ordered_at=now, state="rejected", reason="order_rejected")
                for signal in signals[1:4]
            ),
            *(make_execution(signal, **seen, state="refused", reason="no_balance") for signal in signals[4:]),
        ]
    )
    bus.books.record([Balance(consumer_id="bot", currency="USDT", total=5.0, free=1.0, at=now, dry_run=True)])


def the_platform_goes_wrong(bus: FakeBus, now: datetime) -> None:
    bus.beats.beat(Heartbeat(process="x", instance="y", at=NOON, started_at=NOON, version="1"))
    details: dict[str, dict[str, str | int | float | bool | None]] = {
        "executor": {"claims_unknown": 1, "lease_held": False},
        "ingestion": {"venue": "BINANCE", "venue_banned_at": now.isoformat()},
    }
    for process, detail in details.items():
        beat = Heartbeat(process=process, instance="one", at=now, started_at=NOON, version="1", detail=detail)
        bus.beats.beat(beat)
    bus.offset_seconds = 30.0
    bus.server = BusHealth((MemberHealth("a", "primary", 0.0), MemberHealth("b", "other", None)), 100.0, 1.0)
    bus.audit_findings = [AuditFinding("row_altered", "test", "row 7", "does not carry its hash")]
    bus.known_gaps = [
        Gap(
            symbol="BINANCE:BTCUSDT",
            timeframe="1m",
            start=NOON - timedelta(hours=2),
            end=NOON - timedelta(hours=1),
            first_seen=NOON - timedelta(hours=1),
            source="ingest live",
        )
    ]
    bus.control_store.put(
        Control(
            scope="all",
            source="operator",
            kind=ControlKind.HALT,
            reason="a test",
            at=now - timedelta(days=3),
            by="somebody",
        )
    )


def test_the_list_has_each_check_once() -> None:
    names = [make.name for make in CHECKS]
    assert len(set(names)) == len(names)
    assert {make.__name__ for make in CHECKS} <= set(dir(checks))


@every_check
def test_it_says_what_it_is_when_it_looks_and_when_it_finds_something(make: type[Check]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", make.name)
    assert make.__module__.endswith(f".{make.name}")
    assert (make.__doc__ or "").startswith("Finds ")
    assert timedelta(seconds=1) <= make.every <= timedelta(minutes=5)
    assert len(make.threshold) > 20


@every_check
async def test_it_finds_nothing_on_an_empty_bus(make: type[Check], bus: FakeBus, bot: FakeBot) -> None:
    assert await make(Sources(bus, bot=bot, figures=FakeFigures())).check(NOON) == []


@every_check
async def test_what_it_finds_says_what_to_do_and_is_found_again_the_same(
    make: type[Check], bus: FakeBus, bot: FakeBot
) -> None:
    figures = FakeFigures()
    now = everything_wrong(bus, bot, figures)
    sources = Sources(bus, FLOORS, bot, figures)
    check = make(sources)
    bus.go_down(down=not check.needs)  # what needs nothing is about the bus itself
    findings = await check.check(now)
    assert findings
    for finding in findings:
        assert finding.severity in Severity
        assert min(map(len, (finding.kind, finding.subject, finding.message, finding.action))) > 0
    assert await check.check(now) == findings
    assert await make(sources).check(now) == findings


@every_check
async def test_what_cannot_be_known_is_an_error_and_never_an_empty_answer(
    make: type[Check], bus: FakeBus, bot: FakeBot
) -> None:
    bus.go_down()
    bot.down = True
    check = make(Sources(bus, bot=bot, figures=FakeFigures(down=True)))
    if not make.needs:
        assert await check.check(NOON)
        return
    with pytest.raises(QuantbusError):
        await check.check(NOON)
