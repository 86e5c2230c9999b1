"""What the check finds when it holds a config against the bus; the bus's answers are made up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.mongo.rights import Rights
from quantbus_contracts.policy import Confidence, SoftScale
from quantbus_contracts.ports import RestraintSnapshot
from quantbus_contracts.schema import (
    Control,
    ControlKind,
    Declaration,
    Heartbeat,
    Lease,
    Listing,
    PublishedSignal,
    RiskLevel,
    RiskState,
    Strategy,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_signal
from quantbus_executor.checking.bus_facts import BusFacts
from quantbus_executor.checking.findings import Severity
from quantbus_executor.checking.inspection import read_plan
from quantbus_executor.checking.on_the_bus import on_the_bus

USERDIR = Path(__file__).resolve().parents[3] / "executor/user_data"
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PAIRS = ("BTC/USDT", "ETH/USDT")
ERROR, WARNING, NOTE = Severity
BOT = Rights("quantbus_executor", (), excessive=False)


def strategy(**changes: Any) -> Declaration:
    fields: dict[str, Any] = {
        "strategy_id": "demo",
        "venue": "BINANCE",
        "timeframe": "1m",
        "pairs": PAIRS,
        **changes,
    }
    return Declaration(strategy=Strategy(**fields), version=1)


def published(minutes_ago: int = 1) -> PublishedSignal:
    at = NOW - timedelta(minutes=minutes_ago)
    signal = make_signal(strategy_id="demo", ts=at - timedelta(minutes=1))
    return PublishedSignal(
        signal=signal, version=1, available_at=at, published_by="test", valid_until=NOW + timedelta(hours=1)
    )


FACTS = BusFacts(
    now=NOW,
    rights=BOT,
    strategies=("demo",),
    declared=strategy(),
    restraints=RestraintSnapshot(NOW),
    newest={"BTC/USDT": published()},
)


def found(
    facts: BusFacts, *, base: str = "dryrun", confidence: Confidence | None = None
) -> set[tuple[str, Severity]]:
    environment = {"EXT_SIG_STRATEGY_ID": "demo"}
    plan, wrong = read_plan([USERDIR / f"config.{base}.json"], USERDIR, environment)
    assert wrong == []
    assert plan.settings is not None
    settings = plan.settings
    if confidence is not None:
        settings = replace(settings, rules=replace(settings.rules, confidence=confidence))
    told = list(on_the_bus(plan, settings, facts))
    assert all("\n" not in item.message and not item.message.endswith(".") for item in told)
    return {(item.check, item.severity) for item in told if item.check != "silence"}


def control(scope: str) -> RestraintSnapshot:
    made = Control(scope=scope, source="operator", kind=ControlKind.HALT, reason="test", at=NOW, by="me")
    return RestraintSnapshot(NOW, controls=(made,))


def risk(level: RiskLevel) -> RestraintSnapshot:
    state = RiskState(strategy_id="demo", pair="BTC/USDT", level=level, reason="drift", at=NOW, by="me")
    return RestraintSnapshot(NOW, states=(state,))


def beat(seconds_ago: float) -> Heartbeat:
    at = NOW - timedelta(seconds=seconds_ago)
    return Heartbeat(process="executor", instance="dryrun", at=at, started_at=at, version="0", detail={})


def lease(consumer: str, seconds_left: float) -> Lease:
    end = NOW + timedelta(seconds=seconds_left)
    begin = end - timedelta(seconds=30)
    return Lease(
        account="binance-1",
        consumer_id=consumer,
        holder="h",
        process="p",
        host="here",
        taken_at=begin,
        renewed_at=begin,
        expires_at=end,
    )


def listing(least: float, pair: str = "BTC/USDT") -> dict[str, Listing]:
    instrument = Instrument.from_pair("BINANCE", pair)
    return {pair: Listing(instrument=instrument, status="trading", venue_symbol="X", min_notional=least)}


def test_a_bus_that_fits_leaves_nothing_to_say() -> None:
    assert found(FACTS) == set()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rights": Rights("someone", ("executions: insert",), excessive=False)}, ("rights", ERROR)),
        ({"missing": ("crypto_signals: index key",)}, ("layout", ERROR)),
        ({"missing": None}, ("layout", NOTE)),
        ({"clock_ahead": timedelta(seconds=3)}, ("clock", WARNING)),
        ({"clock_ahead": timedelta(seconds=-3)}, ("clock", WARNING)),
        ({"answered_in": timedelta(milliseconds=200)}, ("slow-bus", WARNING)),
        ({"last_beat": beat(4)}, ("consumer", WARNING)),
        ({"declared": None, "strategies": ("demp",)}, ("strategy", ERROR)),
        ({"declared": strategy(timeframe="5m")}, ("timeframe", ERROR)),
        ({"declared": strategy(venue="OKX")}, ("venue", ERROR)),
        ({"declared": strategy(pairs=("SOL/USDT",))}, ("declared-pairs", ERROR)),
        ({"declared": strategy(pairs=("BTC/USDT",))}, ("declared-pairs", WARNING)),
        ({"declared": strategy(pairs=(*PAIRS, "SOL/USDT"))}, ("ignored-pairs", WARNING)),
        ({"declared": strategy(max_signals_per_bar=3)}, ("slots", WARNING)),
        ({"declared": strategy(max_leverage=3)}, ("leverage", WARNING)),
        ({"restraints": control("all")}, ("restraints-in-force", WARNING)),
        ({"restraints": control("consumer:dryrun")}, ("restraints-in-force", WARNING)),
        ({"restraints": risk(RiskLevel.CRIT)}, ("restraints-in-force", WARNING)),
        ({"restraints": RestraintSnapshot(NOW, unreadable=("x",))}, ("restraints-in-force", WARNING)),
        ({"listings": listing(500)}, ("minimum-stake", ERROR)),
    ],
)
def test_each_thing_that_does_not_fit_is_found_and_nothing_else(
    changes: dict[str, Any], expected: tuple[str, Severity]
) -> None:
    assert found(replace(FACTS, **changes)) == {expected}


@pytest.mark.parametrize(
    "changes",
    [
        {"last_beat": beat(600)},
        {"restraints": control("consumer:another")},
        {"restraints": risk(RiskLevel.WARN)},
        {"listings": listing(5)},
        {"listings": None},
        {"strategies": None, "declared": None},
        {"newest": None},
        {"rights": Rights("", (), excessive=False)},
    ],
)
def test_what_is_no_fault_or_not_to_be_known_is_not_complained_about(changes: dict[str, Any]) -> None:
    assert found(replace(FACTS, **changes)) == set()


@pytest.mark.parametrize(
    "rights",
    [
        Rights("", (), excessive=False),
        Rights("root", (), excessive=True),
        Rights("quantbus_executor", (), excessive=False, beyond=("crypto_signals: insert",)),
    ],
)
def test_with_real_money_nobody_may_do_everything_on_the_bus(rights: Rights) -> None:
    assert ("rights", WARNING) in found(replace(FACTS, rights=rights), base="live")
    assert ("rights", WARNING) not in found(FACTS, base="live")


@pytest.mark.parametrize(
    ("consumer", "seconds_left", "expected"),
    [
        ("another", 20, {("lease", ERROR)}),
        ("live-spot", 20, {("lease", NOTE)}),
        ("another", -1, set()),
    ],
)
def test_an_account_that_another_bot_trades_is_an_error_until_its_lease_is_over(
    consumer: str, seconds_left: float, expected: set[tuple[str, Severity]]
) -> None:
    facts = replace(
        FACTS, lease=lease(consumer, seconds_left), listings=listing(5, "BTC/USDT") | listing(5, "ETH/USDT")
    )
    assert found(facts, base="live") == expected
    assert found(facts) == set()  # a dry run trades no account


def test_spot_for_futures_is_an_error() -> None:
    swaps = strategy(market_type="swap", pairs=("BTC/USDT:USDT", "ETH/USDT:USDT"))
    assert ("market-type", ERROR) in found(replace(FACTS, declared=swaps))
    assert found(replace(FACTS, declared=swaps), base="live-futures") == {
        ("minimum-stake", NOTE)
    }  # not known


def test_a_stake_that_the_score_may_make_too_small_is_told() -> None:
    facts = replace(FACTS, listings=listing(60))
    assert found(facts) == set()
    assert found(facts, confidence=Confidence(scale=SoftScale())) == {("minimum-stake", WARNING)}
