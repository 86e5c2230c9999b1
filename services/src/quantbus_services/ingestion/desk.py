"""Bus and venue, opened together: where everything that asks a venue for more than candles is put together."""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from quantbus_contracts.clock import Clock, SystemClock
from quantbus_contracts.errors import VenueError
from quantbus_contracts.mongo.client import AsyncConnection, connect_async
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.symbols import InstrumentCatalogue
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.ccxt_source import CcxtSource, open_source
from quantbus_services.ingestion.venue.clock import VenueClock
from quantbus_services.ingestion.venue.patience import PatientSource

__all__ = ["Desk", "open_desk"]

_log = structlog.get_logger(__name__)
_random = random.SystemRandom().random


@dataclass(frozen=True, slots=True)
class Desk:
    """What work with a venue needs."""

    connection: AsyncConnection
    venue: CcxtSource
    patient: PatientSource
    """The venue, asked again where that may help."""
    clock: VenueClock
    catalogue: InstrumentCatalogue
    """The venue's markets, read when the desk was opened."""
    random: Callable[[], float]


@asynccontextmanager
async def open_desk(
    settings: IngestionSettings,
    mongo: MongoSettings,
    *,
    with_derivatives: bool,
    clock: Clock | None = None,
    on_error: Callable[[VenueError], None] = lambda _error: None,
    on_offset: Callable[[float], None] = lambda _seconds: None,
) -> AsyncGenerator[Desk]:
    """Open bus and venue, read the market list, compare the clocks; close everything at the end."""

    def failed(error: VenueError) -> None:
        _log.warning("venue_error", kind=error.kind, error=str(error))
        on_error(error)

    connection = connect_async(mongo, app="ingestion", timeout_seconds=10.0)
    venue = open_source(
        settings.venue,
        url=settings.venue_url,
        timeout_seconds=settings.venue_timeout_seconds,
        with_derivatives=with_derivatives,
    )
    patient = PatientSource(venue, attempts=settings.retry_attempts, random=_random, on_error=failed)
    venue_clock = VenueClock(
        patient, clock or SystemClock(), check_seconds=settings.clock_check_seconds, on_offset=on_offset
    )
    try:
        await connection.server_now()
        catalogue = await patient.instruments()
        await venue_clock.refresh()
        yield Desk(connection, venue, patient, venue_clock, catalogue, _random)
    finally:
        await venue.close()
        await connection.close()
