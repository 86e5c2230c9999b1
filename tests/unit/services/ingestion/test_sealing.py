"""Days are sealed when they are over, and nothing that goes wrong with it stops anything else."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts.errors import BusUnavailable, ConfigError
from quantbus_contracts.mongo.block_sealer import SealReport
from quantbus_contracts.testing import FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.sealing import DailySealing, next_sealing, seal
from quantbus_services.ingestion.series import Series
from tests.unit.services.ingestion.fakes import BTC, ETH, MINUTE, NOON
from tests.unit.services.ingestion.virtual_time import VirtualTime

MIDNIGHT = NOON + timedelta(hours=12)


@dataclass
class Sealer:
    """Remembers what it was asked to seal, and when; fails as it is told to."""

    clock: FrozenClock
    failures: list[Exception] = field(default_factory=list)
    asked: list[tuple[str, datetime]] = field(default_factory=list)

    async def seal(self, symbol: str, timeframe: Timeframe) -> SealReport:
        self.asked.append((symbol, self.clock.now()))
        if self.failures:
            raise self.failures.pop(0)
        return SealReport(symbol, timeframe, sealed=1, contended=1)


async def days(sealer: Sealer, count: int) -> None:
    time = VirtualTime(sealer.clock)
    sealing = DailySealing(
        [Series(BTC, MINUTE), Series(ETH, MINUTE)], sealer, now=sealer.clock.now, sleep=time.sleep
    )
    await time.drive(sealing.run(), MIDNIGHT + timedelta(days=count))


async def test_every_series_is_sealed_a_while_after_the_start_and_then_once_a_day() -> None:
    sealer = Sealer(FrozenClock(NOON))
    await days(sealer, 2)
    moments = [
        NOON + timedelta(minutes=10),
        *(MIDNIGHT + timedelta(days=day, minutes=65) for day in range(2)),
    ]
    assert sealer.asked == [(item.symbol, moment) for moment in moments for item in (BTC, ETH)]


@pytest.mark.parametrize("error", [BusUnavailable("away"), ZeroDivisionError()])
async def test_an_error_leaves_the_other_series_and_the_next_day_alone(error: Exception) -> None:
    sealer = Sealer(FrozenClock(NOON), failures=[error])
    await days(sealer, 1)
    assert len(sealer.asked) == 4


@pytest.mark.parametrize("error", [BusUnavailable("away"), ConfigError("may not write crypto_blocks")])
async def test_a_backfill_is_not_failed_by_a_bus_that_does_not_seal(error: Exception) -> None:
    sealer = Sealer(FrozenClock(NOON), failures=[error])
    await seal(sealer, Series(BTC, MINUTE))
    assert len(sealer.asked) == 1


async def test_sealing_ends_when_it_is_told_to() -> None:
    class Hanging(Sealer):
        async def seal(self, symbol: str, timeframe: Timeframe) -> SealReport:
            await asyncio.Event().wait()
            raise AssertionError

    task = asyncio.ensure_future(seal(Hanging(FrozenClock(NOON)), Series(BTC, MINUTE)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-01-05T00:00", "2026-01-05T01:05"),
        ("2026-01-05T01:04:59", "2026-01-05T01:05"),
        ("2026-01-05T01:05", "2026-01-06T01:05"),
        ("2026-01-05T23:59", "2026-01-06T01:05"),
    ],
)
def test_a_day_is_sealed_when_it_has_settled(now: str, due: str) -> None:
    assert next_sealing(datetime.fromisoformat(now).replace(tzinfo=UTC)) == datetime.fromisoformat(
        due
    ).replace(tzinfo=UTC)
