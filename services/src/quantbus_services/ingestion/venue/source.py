"""Where candles come from, as a protocol."""

from datetime import datetime, timedelta
from typing import Protocol

from quantbus_contracts.clock import Clock
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.normalise import Row

__all__ = ["PAPER", "CandleSource"]

PAPER = "paper:"
"""How the source of a bar begins that is no market's."""


class CandleSource(Protocol):
    """Where candles come from."""

    @property
    def venue(self) -> str:
        """The venue's name on the bus, upper case."""
        ...

    @property
    def source(self) -> str:
        """What is written into each bar as its source."""
        ...

    @property
    def clock_doubts(self) -> int:
        """How many answers so far spoke against what we take for the venue's time."""
        ...

    async def instruments(self) -> InstrumentCatalogue:
        """Return every market the venue lists."""
        ...

    def page_bars(self, instrument: Instrument, most: int) -> int:
        """Return how many bars to ask for in one request: ``most``, or less if the venue gives less."""
        ...

    async def fetch(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, limit: int
    ) -> list[Row]:
        """Return at most ``limit`` rows that open at or after ``since``, perhaps with the forming candle.

        Raises
        ------
        VenueUnavailable
            If the venue did not answer properly; worth another try.
        VenueRefused
            If it said no.
        """
        ...

    async def clock_offset(self, clock: Clock) -> timedelta:
        """Return how far the venue's clock is ahead of ``clock``."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
