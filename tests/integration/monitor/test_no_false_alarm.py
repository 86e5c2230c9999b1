"""A bot that trades without pause, at an exchange sixty times as fast as the market that keeps failing: no alarm."""

import asyncio
import random
import time
from collections.abc import Callable

import httpx
import pytest

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from tests.integration.monitor.theatre import Theatre, Trader, exchange, theatre

SPEED = 60
SETTLE = 3.0
FAULTS = (
    "unavailable share=0.08 seed=1 path=/fapi/v3/positionRisk",
    "page_with_200 share=0.08 seed=2 path=/fapi/v1/openOrders",
    "cut_json share=0.08 seed=3 path=/fapi/v1/userTrades",
    "empty_with_200 share=0.05 seed=4 path=/fapi/v3/positionRisk",
)


def trade_on(trader: Trader, is_over: Callable[[], bool]) -> int:
    """Enter and leave, long and short, one coin and the other, with pauses of all lengths; return the trades made."""
    chance = random.Random(7)  # noqa: S311  # the same trades each time, no secrets
    made = 0
    while not is_over():
        open_ones = list(trader.api.open)
        if open_ones and (len(open_ones) == 2 or chance.random() < 0.5):
            trader.leave(chance.choice(open_ones))
        else:
            held = {trade["pair"] for trade in open_ones}
            base = chance.choice([one for one in ("BTC", "ETH") if trader.pair(one) not in held])
            trader.enter(base, chance.choice(("long", "short")))
            made += 1
        time.sleep(chance.choice((0.0, 0.2, 1.0, SETTLE + 1.0)))
    return made


async def watch_on(stage: Theatre, is_over: Callable[[], bool]) -> list[set[str]]:
    """Run cycles; return what each found."""
    found = []
    while not is_over():
        found.append(set(await stage.cycle()))
        assert stage.blocks() == []
        await asyncio.sleep(0.3)
    return found


async def trade_and_watch(connection: Connection, async_connection: AsyncConnection, seconds: float) -> None:
    with (
        exchange(speed=SPEED, faults=FAULTS) as paper,
        theatre(paper, connection, async_connection, "swap", settle=SETTLE) as stage,
    ):
        ends = time.monotonic() + seconds

        def is_over() -> bool:
            return time.monotonic() > ends

        try:
            trades, found = await asyncio.gather(
                asyncio.to_thread(trade_on, stage.trader, is_over), watch_on(stage, is_over)
            )
            told = await asyncio.to_thread(httpx.get, f"{paper.url}/paper/faults")
        finally:
            await stage.close()
    assert trades >= seconds / 10
    assert len(found) >= seconds / 3
    assert sum(told.json()["injected"].values()) >= seconds / 10
    # A look that failed is told as such: that is what is known, and no alarm about positions.
    assert set().union(*found) <= {"account_unknown"}
    assert any(not kinds for kinds in found)


@pytest.mark.integration
@pytest.mark.proof
@pytest.mark.timeout(200)
async def test_a_quarter_of_an_hour_of_trading_at_sixty_times_raises_no_alarm(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    await trade_and_watch(connection, async_connection, seconds=15)


@pytest.mark.soak
@pytest.mark.timeout(400)
async def test_an_hour_of_trading_at_sixty_times_raises_no_alarm(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    await trade_and_watch(connection, async_connection, seconds=60)
