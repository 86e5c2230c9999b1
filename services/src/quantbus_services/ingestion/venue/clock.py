"""The venue's clock: ours, shifted by a difference that is measured again now and then.

Whether a bar is closed is for the venue to say. A machine whose clock runs ahead would otherwise take the
venue's forming candle for a closed one.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import VenueError
from quantbus_services.ingestion.venue.source import CandleSource

__all__ = ["VenueClock"]

_log = structlog.get_logger(__name__)


class VenueClock:
    """Tells the venue's time; a `Clock`."""

    def __init__(
        self,
        source: CandleSource,
        clock: Clock,
        *,
        check_seconds: float,
        on_offset: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        """Start with no difference; the first `refresh` measures it."""
        self._source = source
        self._clock = clock
        self._check = timedelta(seconds=check_seconds)
        self._on_offset = on_offset
        self._offset = timedelta(0)
        self._checked_at: datetime | None = None
        self._doubts = source.clock_doubts
        self._is_told = False

    def now(self) -> datetime:
        """Return the present at the venue as an aware UTC datetime."""
        return self._clock.now() + self._offset

    async def refresh(self) -> None:
        """Compare the clocks if that is due, or an answer spoke against what we take for the venue's time.

        A venue that does not answer leaves the difference as it was.
        """
        now = self._clock.now()
        doubts = self._source.clock_doubts
        is_recent = self._checked_at is not None and timedelta(0) <= now - self._checked_at < self._check
        if is_recent and doubts == self._doubts:
            return
        try:
            self._offset = await self._source.clock_offset(self._clock)
        except VenueError as error:
            if not self._is_told:  # asked again every few seconds, so once an outage
                _log.warning("venue_clock_unknown", error=str(error))
            self._is_told = True
            return
        self._is_told = False
        self._checked_at, self._doubts = now, doubts
        self._on_offset(self._offset.total_seconds())
