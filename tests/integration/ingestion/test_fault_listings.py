"""What ingestion does when the venue's market list changes."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.symbols import Instrument
from quantbus_services.ingestion.series import Series
from tests.integration.ingestion.faulty import (
    MINUTE,
    FaultyExchange,
    Ingestion,
    faulty_exchange,
    open_ingestion,
    row_of,
)

pytestmark = pytest.mark.integration

START = datetime(2026, 1, 5, 12, 0, 20, tzinfo=UTC)


@pytest.fixture
def exchange() -> Iterator[FaultyExchange]:
    """One for each test: what happened to a market list is not undone."""
    with faulty_exchange(START) as running:
        yield running


@pytest.fixture
async def ingestion(exchange: FaultyExchange, async_connection: AsyncConnection) -> AsyncIterator[Ingestion]:
    opened = await open_ingestion(exchange, async_connection)
    yield opened
    await opened.source.close()


async def test_a_new_listing_is_found_and_begins_with_its_first_bar(
    exchange: FaultyExchange, ingestion: Ingestion
) -> None:
    exchange.switch("new_listing", symbol="SOL/USDT", **{"from": 60})
    with pytest.raises(UnknownInstrument):
        (await ingestion.source.instruments()).resolve("BINANCE:SOL/USDT")

    await ingestion.live(bars=5)
    found = (await ingestion.source.instruments()).resolve("BINANCE:SOL/USDT")
    series = Series(found, MINUTE)
    filled = await ingestion.fill(series)

    stored = [candle.open_time for candle in await ingestion.stored(series)]
    assert len(stored) in (3, 4)
    assert stored == list(MINUTE.range(stored[0], stored[-1] + MINUTE.delta))
    assert filled.absent == filled.wanted - len(stored)


async def test_a_delisted_market_ends_and_the_others_go_on(
    exchange: FaultyExchange, ingestion: Ingestion
) -> None:
    await ingestion.backfill()
    await ingestion.live(bars=1)
    exchange.switch("delisting", symbol="ETH/USDT")
    ends = MINUTE.last_closed(exchange.clock.now()) + MINUTE.delta

    failures = await ingestion.live(bars=4)

    bitcoin, ether = [await ingestion.stored(item) for item in ingestion.series]
    assert failures == []
    assert bitcoin[-1].open_time == MINUTE.last_closed(exchange.clock.now())
    assert ether[-1].open_time == ends  # the bar in which trading ended is the last
    await ingestion.assert_nothing_untrue()


async def test_a_removed_market_fails_alone(exchange: FaultyExchange, ingestion: Ingestion) -> None:
    await ingestion.backfill()
    await ingestion.live(bars=1)
    exchange.switch("removal", symbol="ETH/USDT")

    await ingestion.live(bars=1)
    failures = await ingestion.live(bars=2)

    assert [error.kind for error in failures] == ["bad_symbol", "bad_symbol"]
    bitcoin = await ingestion.stored(ingestion.series[0])
    assert bitcoin[-1].open_time == MINUTE.last_closed(exchange.clock.now())


async def test_a_renamed_market_is_refused_by_its_old_name_and_whole_by_its_new_one(
    exchange: FaultyExchange, ingestion: Ingestion
) -> None:
    await ingestion.backfill()
    exchange.switch("rename", symbol="ETH/USDT", to="ETHX/USDT")
    exchange.clock.advance(timedelta(minutes=2))

    catalogue = await ingestion.source.instruments()
    with pytest.raises(UnknownInstrument):
        catalogue.resolve("BINANCE:ETH/USDT")
    renamed = Series(catalogue.resolve("BINANCE:ETHX/USDT"), MINUTE)
    filled = await ingestion.fill(renamed)

    assert filled.absent == 0
    old = [row_of(candle) for candle in await ingestion.stored(ingestion.series[1])]
    new = [row_of(candle) for candle in await ingestion.stored(renamed)]
    assert new[: len(old)] == old
    assert renamed.instrument == Instrument.from_pair("BINANCE", "ETHX/USDT")


async def test_a_change_of_price_steps_changes_no_stored_bar(
    exchange: FaultyExchange, ingestion: Ingestion
) -> None:
    await ingestion.backfill()
    await ingestion.live(bars=1)
    before = await ingestion.stored(ingestion.series[0])
    exchange.switch("tick_size_change", symbol="BTC/USDT", decimals=0)

    await ingestion.live(bars=3)

    after = await ingestion.stored(ingestion.series[0])
    assert after[: len(before)] == before
    assert after[-1].close % 1 == 0
    await ingestion.assert_whole()
