"""A second source stands in when the first has failed for long enough, and is never mixed in silently."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from quantbus_contracts.errors import ConfigError, VenueUnavailable
from quantbus_contracts.runtime.settings import load_settings
from quantbus_contracts.schema import Candle, Disagreement, DisagreementKind
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import FrozenClock, make_candle
from quantbus_services.ingestion.backfill import Backfiller
from quantbus_services.ingestion.fallbacks import Fallback, matched, parse_fallback
from quantbus_services.ingestion.second_source import (
    ComparingWriter,
    StandIn,
    Substitute,
    Tolerance,
    is_fallback,
)
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.settings import IngestionSettings
from tests.unit.services.ingestion.fakes import BTC, ETH, MINUTE, NOON, AsyncBars, FakeVenue

SERIES = Series(BTC, MINUTE)
OKX_BTC = Instrument.from_pair("OKX", "BTC/USDT")
DOWN = VenueUnavailable("no answer", kind="timeout")


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


class World:
    """Binance and OKX behind one series."""

    def __init__(self, *, mark: str = "okx") -> None:
        self.clock = FrozenClock(at(10))
        self.first_venue = FakeVenue(self.clock)
        self.second_venue = FakeVenue(self.clock, venue="OKX", source=mark)
        self.bars = AsyncBars()
        self.found: list[Disagreement] = []
        self.first = self.filler(self.first_venue)
        self.substitute = Substitute(self.second_venue, OKX_BTC, "BINANCE")
        self.stand_in = self.restarted()

    def restarted(self) -> StandIn:
        return StandIn(
            {BTC: self.filler(self.substitute)},
            self.bars,
            self.first,
            after=timedelta(minutes=2),
            history=timedelta(days=1),
            now=self.clock.now,
        )

    def filler(self, source: FakeVenue | Substitute) -> Backfiller:
        writer = ComparingWriter(
            self.bars,
            self.bars,
            self,
            tolerance=Tolerance(close=0.002, volume_ratio=20.0),
            symbols=frozenset({BTC.symbol}),
            now=self.clock.now,
        )
        return Backfiller(source, self.bars, writer, page_bars=1000, venue_now=self.clock.now)

    async def record(self, found: Sequence[Disagreement]) -> int:
        self.found += found
        return len(found)

    def sources(self) -> list[str]:
        return [bar.source for _, bar in sorted(self.bars.store.bars.items())]

    async def outage(self) -> None:
        """Have ten bars of the first venue, then five minutes without it."""
        await self.first.refresh(SERIES, at(0), at(10))
        await self.stand_in.failed(SERIES, DOWN)
        self.clock.advance(timedelta(minutes=5))
        assert await self.stand_in.failed(SERIES, DOWN)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_short_failure_is_waited_out(world: World) -> None:
    assert not await world.stand_in.failed(SERIES, DOWN)
    world.clock.advance(timedelta(minutes=1))
    assert not await world.stand_in.failed(SERIES, DOWN)
    assert world.second_venue.requests == []


async def test_the_second_source_fills_what_the_first_does_not_and_says_so(world: World) -> None:
    await world.outage()
    assert world.sources() == ["binance"] * 10 + ["fallback:OKX:BTCUSDT"] * 5
    assert {bar.symbol for bar in world.bars.store.bars.values()} == {"BINANCE:BTCUSDT"}
    assert {request[0] for request in world.second_venue.requests} == {"BTC/USDT"}


async def test_bars_of_a_paper_exchange_are_never_taken_for_a_markets() -> None:
    assert World(mark="paper:synthetic").substitute.source == "paper:synthetic:fallback:OKX:BTCUSDT"


async def test_a_symbol_without_a_second_source_just_fails(world: World) -> None:
    world.clock.advance(timedelta(minutes=5))
    assert not await world.stand_in.failed(Series(ETH, MINUTE), DOWN)


async def test_when_both_fail_it_is_a_failure(world: World) -> None:
    await world.stand_in.failed(SERIES, DOWN)
    world.clock.advance(timedelta(minutes=5))
    world.second_venue.failures = [DOWN]
    assert not await world.stand_in.failed(SERIES, DOWN)


async def test_each_outage_is_waited_out_anew(world: World) -> None:
    await world.outage()
    await world.stand_in.recovered(SERIES, at(0), at(15))
    world.clock.advance(timedelta(minutes=1))
    assert not await world.stand_in.failed(SERIES, DOWN)


async def test_the_first_sources_bars_replace_those_that_stood_in(world: World) -> None:
    await world.outage()
    world.first_venue.prices = {at(minute): 100.1 for minute in range(10, 15)}
    await world.first.refresh(SERIES, at(10), at(15))
    assert set(world.sources()) == {"binance"}
    assert world.found == []  # a tenth of a percent is no disagreement


async def test_a_disagreement_is_recorded_before_the_bar_is_replaced(world: World) -> None:
    world.second_venue.prices = {at(12): 150.0}
    await world.outage()
    await world.first.refresh(SERIES, at(10), at(15))
    (found,) = world.found
    assert (found.open_time, found.kind) == (at(12), DisagreementKind.CLOSE)
    assert (found.source, found.other_source) == ("binance", "fallback:OKX:BTCUSDT")
    assert (found.close, found.other_close) == (101.0, 151.0)
    assert world.bars.store.bars[(BTC.symbol, "1m", at(12))].close == 101.0


async def test_bars_that_stood_in_before_a_restart_are_compared_after_it(world: World) -> None:
    world.second_venue.prices = {at(12): 150.0}
    await world.outage()
    again = world.restarted()
    await again.recovered(SERIES, at(0), at(15))
    assert [found.open_time for found in world.found] == [at(12)]
    asked = len(world.first_venue.requests)
    await again.recovered(SERIES, at(0), at(15))
    assert len(world.first_venue.requests) == asked


async def test_bars_of_the_second_source_are_not_compared_with_themselves(world: World) -> None:
    await world.outage()
    world.second_venue.prices = {at(12): 150.0}
    await world.filler(world.substitute).refresh(SERIES, at(10), at(15))
    assert world.found == []


@pytest.mark.parametrize(
    ("close", "volume", "kind"),
    [
        (100.19, 1.0, None),
        (100.3, 1.0, DisagreementKind.CLOSE),
        (99.7, 20.0, DisagreementKind.CLOSE),
        (100.0, 20.1, DisagreementKind.VOLUME),
        (100.0, 0.0, DisagreementKind.VOLUME),
        (101.0, 0.0, DisagreementKind.BOTH),
    ],
)
def test_what_counts_as_a_disagreement(close: float, volume: float, kind: DisagreementKind | None) -> None:
    def bar(close: float, volume: float) -> Candle:
        return make_candle(open=100.0, high=200.0, low=50.0, close=close, volume=volume)

    assert Tolerance(close=0.002, volume_ratio=20.0).judge(bar(100.0, 1.0), bar(close, volume)) is kind


def test_a_bar_tells_where_it_came_from() -> None:
    assert is_fallback("fallback:OKX:BTCUSDT")
    assert is_fallback("paper:synthetic:fallback:OKX:BTCUSDT")
    assert not is_fallback("binance")


@pytest.mark.parametrize(
    ("text", "fallback"),
    [
        ("OKX:BTCUSDT", Fallback("OKX", "OKX:BTCUSDT")),
        ("okx:BTC/USDT", Fallback("OKX", "OKX:BTC/USDT")),
        ("BTC/USDT=OKX:BTCUSDT", Fallback("OKX", "OKX:BTCUSDT", "BTC/USDT")),
        ("BINANCE:BTCUSDT = OKX:BTCUSDC", Fallback("OKX", "OKX:BTCUSDC", "BINANCE:BTCUSDT")),
    ],
)
def test_fallbacks_are_read_as_people_write_them(text: str, fallback: Fallback) -> None:
    assert parse_fallback(text) == fallback


@pytest.mark.parametrize("text", ["OKX", "OKX:", ":BTCUSDT", "=OKX:BTCUSDT", ""])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a fallback such as"):
        parse_fallback(text)


def test_a_fallback_is_matched_with_the_symbol_of_the_same_currencies() -> None:
    assert matched(parse_fallback("OKX:BTCUSDT"), OKX_BTC, [BTC, ETH]) == BTC
    usdc = Instrument.from_pair("OKX", "BTC/USDC")
    assert matched(parse_fallback("BTC/USDT=OKX:BTCUSDC"), usdc, [BTC, ETH]) == BTC
    with pytest.raises(ConfigError, match="write it as SYMBOL=OKX:BTCUSDC"):
        matched(parse_fallback("OKX:BTCUSDC"), usdc, [BTC, ETH])


@pytest.mark.parametrize("pair", ["ETH/USDT", "BTC/USDT:USDT"])
def test_a_fallback_that_trades_something_else_is_refused(pair: str) -> None:
    other = Instrument.from_pair("OKX", pair)
    with pytest.raises(ConfigError, match="expected a fallback that trades the same"):
        matched(parse_fallback(f"BTC/USDT={other.symbol}"), other, [BTC, ETH])


def test_a_market_does_not_stand_in_for_itself() -> None:
    with pytest.raises(ConfigError, match="another venue"):
        matched(parse_fallback("BINANCE:BTCUSDT"), BTC, [BTC])


def test_a_misspelt_fallback_is_refused_with_the_settings() -> None:
    with pytest.raises(ConfigError, match="such as OKX:BTCUSDT"):
        load_settings(IngestionSettings, fallbacks=("OKX",))
