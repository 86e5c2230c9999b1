"""Bars and where they come from: `candle_gap` and `exchange_limited`."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Heartbeat
from quantbus_contracts.schema import Gap, GapState
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.data import CandleGap, ExchangeLimited
from tests.unit.services.monitor.fake_bus import FakeBus, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def gap(seen_at: datetime, *, symbol: str = "BINANCE:BTCUSDT", start: int = 0) -> Gap:
    begins = NOON - timedelta(days=1) + timedelta(minutes=start)
    return Gap(
        symbol=symbol,
        timeframe="1m",
        start=begins,
        end=begins + timedelta(minutes=3),
        first_seen=seen_at,
        source="ingest live",
    )


async def test_gaps_are_told_per_stream_once_ingestion_has_had_its_time(bus: FakeBus) -> None:
    bus.declare()
    bus.known_gaps = [gap(NOON), gap(NOON, start=10)]
    check = CandleGap(Sources(bus))
    assert await check.check(NOON + timedelta(minutes=15)) == []
    [finding] = await check.check(NOON + timedelta(minutes=15, seconds=1))
    assert finding.subject == "BINANCE:BTCUSDT 1m"
    assert "6 are missing" in finding.message


@pytest.mark.parametrize("state", [GapState.REPAIRED, GapState.EMPTY])
async def test_a_gap_that_is_filled_or_known_to_be_empty_is_over(bus: FakeBus, state: GapState) -> None:
    bus.declare()
    bus.known_gaps = [gap(NOON).model_copy(update={"state": state})]
    assert await CandleGap(Sources(bus)).check(NOON + timedelta(hours=1)) == []


async def test_gaps_of_bars_that_no_strategy_needs_are_not_told(bus: FakeBus) -> None:
    bus.declare()
    bus.known_gaps = [gap(NOON, symbol="BINANCE:DOGEUSDT")]
    assert await CandleGap(Sources(bus)).check(NOON + timedelta(hours=1)) == []


def told(bus: FakeBus, at: datetime = NOON, **detail: str | None) -> None:
    bus.beats.beat(
        Heartbeat(
            process="ingestion",
            instance="main",
            at=at,
            started_at=NOON - timedelta(days=1),
            version="1",
            detail={"venue": "BINANCE", **detail},
        )
    )


async def test_a_limit_is_told_for_ten_minutes_after_its_last_sign(bus: FakeBus) -> None:
    check = ExchangeLimited(Sources(bus))
    for age, found in ((0, True), (600, True), (601, False)):
        told(bus, venue_limited_at=(NOON - seconds(age)).isoformat())
        findings = await check.check(NOON)
        assert [item.kind for item in findings] == (["exchange_limited"] if found else [])


async def test_a_ban_is_told_instead_of_a_limit_and_is_critical(bus: FakeBus) -> None:
    told(bus, venue_limited_at=NOON.isoformat(), venue_banned_at=NOON.isoformat())
    [finding] = await ExchangeLimited(Sources(bus)).check(NOON)
    assert (finding.kind, finding.severity) == ("exchange_banned", "critical")
    assert "BINANCE" in finding.message


@pytest.mark.parametrize("garbage", [None, "", "yesterday", "2026-01-05T12:00:00"])
async def test_what_is_no_moment_says_nothing(bus: FakeBus, garbage: str | None) -> None:
    told(bus, venue_banned_at=garbage)
    assert await ExchangeLimited(Sources(bus)).check(NOON) == []


async def test_what_a_dead_process_said_last_is_not_repeated(bus: FakeBus) -> None:
    told(bus, venue_banned_at=NOON.isoformat())
    assert await ExchangeLimited(Sources(bus)).check(NOON + seconds(61)) == []
