"""Asks a venue one small question, to find out whether it can be reached from here."""

from datetime import timedelta

from quantbus_contracts.clock import SystemClock
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.venue.ccxt_source import open_source

__all__ = ["reach"]


async def reach(settings: IngestionSettings) -> timedelta | None:
    """Return how far the venue's clock is ahead of ours; None where it answers and does not tell its time.

    Raises
    ------
    VenueUnavailable
        If it does not answer properly.
    VenueRefused
        If it does not want to be asked from here.
    """
    source = open_source(
        settings.venue,
        url=settings.venue_url,
        timeout_seconds=settings.venue_timeout_seconds,
        with_derivatives=False,
    )
    try:
        if source.offers("fetchTime"):
            return await source.clock_offset(SystemClock())
        await source.instruments()
        return None
    finally:
        await source.close()
