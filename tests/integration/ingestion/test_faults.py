"""What ingestion does under every fault of the catalogue: real ccxt, real HTTP, a real MongoDB."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_services.paper_exchange.faults.catalogue import CATALOGUE
from quantbus_services.paper_exchange.faults.spec import FaultSpec
from tests.integration.ingestion.faulty import (
    FaultyExchange,
    Ingestion,
    faulty_exchange,
    open_ingestion,
)

pytestmark = [pytest.mark.integration, pytest.mark.proof]

START = datetime(2026, 1, 5, 12, 0, 20, tzinfo=UTC)
WHOLE = "test_the_series_is_whole_after_the_fault"
SETTINGS: dict[str, dict[str, object]] = {
    "slow_answer": {"every": 4, "times": 2},
    "no_answer": {"every": 4, "times": 2},
    "banned": {"skip": 3, "times": 1, "seconds": 300},
    "partial_last_candle": {},
    "late_candle": {},
    "rate_limited": {"every": 3, "times": 4, "retry_after": 7},
}
KINDS = {
    "slow_answer": {"timeout"},
    "no_answer": {"timeout"},
    "connection_dropped": {"unavailable"},
    "reset_mid_body": {"network"},
    "truncated_body": {"network"},
    "rate_limited": {"rate_limited"},
    "rate_limited_without_a_time": {"rate_limited"},
    "banned": {"banned"},
    "forbidden_page": {"unavailable"},
    "server_error": {"unavailable"},
    "bad_gateway": {"unavailable"},
    "unavailable": {"unavailable"},
    "gateway_timeout": {"timeout"},
    "page_with_200": {"garbage"},
    "empty_with_200": {"garbage"},
    "cut_json": {"garbage"},
    "clock_error": {"clock"},
}


@pytest.fixture(scope="module")
def exchange() -> Iterator[FaultyExchange]:
    with faulty_exchange(START) as running:
        yield running


@pytest.fixture
async def ingestion(exchange: FaultyExchange, async_connection: AsyncConnection) -> AsyncIterator[Ingestion]:
    opened = await open_ingestion(exchange, async_connection)
    yield opened
    await opened.source.close()


def settings_for(spec: FaultSpec) -> dict[str, object]:
    default: dict[str, object] = {"share": 0.3} if spec.by_item else {"every": 2, "times": 4}
    return SETTINGS.get(spec.name, default) | {"path": "/api/v3/klines"}


@pytest.mark.parametrize(
    "spec", [item for item in CATALOGUE if item.test.endswith(f"::{WHOLE}")], ids=lambda spec: str(spec.name)
)
async def test_the_series_is_whole_after_the_fault(
    exchange: FaultyExchange, ingestion: Ingestion, spec: FaultSpec
) -> None:
    exchange.switch(spec.name, **settings_for(spec))
    if KINDS.get(spec.name) == {"timeout"} and spec.layer == "transport":
        ingestion.give_up_after(0.5)

    await ingestion.backfill()
    await ingestion.live(bars=2)

    if spec.name != "revised_candle":  # whose provisional values nobody can tell from right ones
        await ingestion.assert_nothing_untrue()
    counted = exchange.told()
    assert counted["injected"][spec.name] > 0
    assert ingestion.kinds == KINDS.get(spec.name, set())

    exchange.clear()
    ingestion.give_up_after()
    await ingestion.live(bars=1)
    assert await ingestion.backfill() == []
    await ingestion.assert_whole()
    quiet = exchange.told()["quiet"]
    assert (quiet["inside_ban"], quiet["inside_pause"]) == (0, 0)
    assert quiet["crossing"] < 4 * (1 + quiet["bans"] + quiet["pauses"])  # four workers, others on their way


async def test_hours_of_maintenance_are_survived_and_made_up_for(
    exchange: FaultyExchange, ingestion: Ingestion
) -> None:
    await ingestion.backfill()
    await ingestion.live(bars=1)
    exchange.switch("maintenance")

    failures = await ingestion.live(bars=3)
    exchange.clock.advance(timedelta(hours=5))
    failures += await ingestion.live(bars=1)
    assert len(failures) == 8
    assert {error.kind for error in failures} == {"maintenance"}
    await ingestion.assert_nothing_untrue()
    assert {error.kind for error in await ingestion.backfill()} == {"maintenance"}

    exchange.clear()
    assert await ingestion.live(bars=1) == []
    await ingestion.assert_whole()


async def test_a_refused_key_is_not_insisted_on(exchange: FaultyExchange, ingestion: Ingestion) -> None:
    await ingestion.backfill()
    exchange.switch("auth_error", path="/api/v3/klines")

    failures = await ingestion.live(bars=1)

    assert [error.kind for error in failures] == ["forbidden", "forbidden"]
    assert exchange.told()["injected"]["auth_error"] == 2
    exchange.clear()
    await ingestion.live(bars=1)
    await ingestion.assert_whole()


async def test_bars_without_volume_are_stored_as_given_and_corrected_when_read_again(
    exchange: FaultyExchange, ingestion: Ingestion
) -> None:
    await ingestion.backfill()
    exchange.switch("zero_volume_candle", heals=60)

    await ingestion.live(bars=1)
    quiet = [candle for candle in await ingestion.stored(ingestion.series[0]) if candle.volume == 0]
    exchange.clear()
    await ingestion.live(bars=1)

    assert quiet
    assert all(candle.open == candle.high == candle.low == candle.close for candle in quiet)
    await ingestion.assert_whole()


@pytest.mark.parametrize("seconds", [-600, 600])
async def test_a_clock_that_jumps_makes_no_bar_partial(
    exchange: FaultyExchange, ingestion: Ingestion, seconds: int
) -> None:
    await ingestion.backfill()
    await ingestion.live(bars=1)
    exchange.switch("clock_jump", seconds=seconds)

    await ingestion.live(bars=3)
    await ingestion.assert_nothing_untrue()

    exchange.clear()
    exchange.clock.advance(timedelta(seconds=abs(seconds)))
    await ingestion.live(bars=2)
    await ingestion.assert_nothing_untrue()
    await ingestion.backfill()
    await ingestion.assert_whole()


async def test_workers_share_one_ban(exchange: FaultyExchange, ingestion: Ingestion) -> None:
    exchange.switch("banned", times=1, seconds=600, path="/api/v3/klines")
    before = exchange.told()["quiet"]

    began = exchange.clock.now()
    assert await ingestion.backfill() == []

    assert exchange.clock.now() - began >= timedelta(seconds=600)
    after = exchange.told()["quiet"]
    assert after["bans"] - before["bans"] == 1
    assert after["inside_ban"] == 0
    assert after["crossing"] - before["crossing"] < 4  # those of four workers that were on their way
    await ingestion.live(bars=1)
    await ingestion.assert_whole()


async def test_the_live_loop_does_not_ask_inside_a_ban_of_days(
    exchange: FaultyExchange, ingestion: Ingestion
) -> None:
    await ingestion.backfill()
    exchange.switch("banned", times=1, seconds=2 * 86_400, path="/api/v3/klines")

    failures = await ingestion.live(bars=4)

    assert {error.kind for error in failures} == {"banned"}
    assert max(error.retry_after_seconds or 0 for error in failures) > 86_400
    assert exchange.told()["quiet"]["inside_ban"] == 0
