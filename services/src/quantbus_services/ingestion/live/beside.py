"""What goes on beside the live loop: whoever wants to know what it stored, or can help when the venue fails."""

from datetime import datetime
from typing import Protocol

from quantbus_contracts.errors import VenueError
from quantbus_services.ingestion.series import Series

__all__ = ["Alone", "Beside"]


class Beside(Protocol):
    """Hears of the live loop's work; may raise `BusError`."""

    async def stored(self, series: Series, start: datetime, end: datetime) -> None:
        """The loop has stored what the venue gave of the bars that open in ``[start, end)``."""
        ...

    async def failed(self, series: Series, error: VenueError) -> bool:
        """The venue failed for a series; tell whether another source has stood in."""
        ...


class Alone:
    """Nobody beside the loop."""

    async def stored(self, series: Series, start: datetime, end: datetime) -> None:
        """Do nothing."""

    async def failed(self, series: Series, error: VenueError) -> bool:
        """Nobody stands in."""
        return False
