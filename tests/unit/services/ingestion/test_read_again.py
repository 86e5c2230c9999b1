"""Every bar is read again after it was stored, also if an end or an outage came between."""

from datetime import timedelta

from quantbus_contracts.errors import VenueUnavailable
from tests.unit.services.ingestion.fakes import BTC
from tests.unit.services.ingestion.test_poller import World, minute

LAST = 3
"""The newest bar that is stored before the trouble."""


def close_of(world: World, index: int) -> float:
    return world.bars.store.bars[BTC.symbol, "1m", minute(index)].open


async def test_after_a_restart_the_bars_that_were_stored_last_are_read_again() -> None:
    first = World()
    first.venue.prices[minute(LAST)] = 50.0  # what a venue says of a bar at first is not always its last word
    await first.run()
    assert close_of(first, LAST) == 50.0

    second = World(start=minute(60), until=minute(61))
    second.bars.store.bars.update(first.bars.store.bars)
    await second.run()

    assert close_of(second, LAST) == 100.0
    assert second.figure("quantbus_candles_written_total", outcome="updated") == 1


async def test_after_an_outage_of_the_venue_the_bars_before_it_are_read_again() -> None:
    world = World(until=minute(40), max_failures=10_000)
    world.venue.prices[minute(LAST)] = 50.0

    def break_down() -> None:
        now = world.clock.now()
        down = minute(LAST + 1) + timedelta(seconds=5) < now < minute(30)
        world.venue.failures = [VenueUnavailable("down", kind="maintenance")] * 99 if down else []
        if down:
            assert close_of(world, LAST) == 50.0
            world.venue.prices.clear()

    await world.run(break_down)

    assert close_of(world, LAST) == 100.0
