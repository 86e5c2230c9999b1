"""A bar that closed and does not come is looked for again, and holds up no other."""

from datetime import timedelta

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.series import Series
from tests.unit.services.ingestion.fakes import BTC, NOON
from tests.unit.services.ingestion.test_poller import World, minute, whole


async def test_long_patience_with_a_bar_that_never_comes_does_not_hold_up_the_next() -> None:
    world = World(patience_seconds=200.0, until=minute(6))
    world.venue.absent = {minute(1)}

    await world.run()

    assert world.stored() == [*whole(-14, 0), *whole(2, 4)]
    delay = world.written_at[BTC.symbol, "1m", minute(2)] - minute(3)
    assert delay < timedelta(seconds=3)


async def test_a_long_bar_that_comes_late_does_not_wait_for_the_next_one() -> None:
    day = Series(BTC, Timeframe.parse("1d"))
    midnight = NOON + timedelta(hours=12)
    world = World(series=(day,), start=midnight - timedelta(seconds=30), until=midnight + timedelta(hours=6))
    world.venue.lag = timedelta(days=1, minutes=2)  # a bar appears two minutes after its close

    await world.run()

    opened = midnight - timedelta(days=1)
    delay = world.written_at[BTC.symbol, "1d", opened] - midnight
    assert timedelta(minutes=2) <= delay < timedelta(minutes=5)


async def test_a_long_bar_that_never_comes_is_asked_for_ever_less_often() -> None:
    day = Series(BTC, Timeframe.parse("1d"))
    midnight = NOON + timedelta(hours=12)
    world = World(series=(day,), start=midnight - timedelta(seconds=30), until=midnight + timedelta(hours=12))
    world.venue.absent = {midnight - timedelta(days=1)}

    await world.run()

    turns = world.figure("quantbus_ingestion_turns_total", outcome="late")
    assert 12 <= turns <= 20
