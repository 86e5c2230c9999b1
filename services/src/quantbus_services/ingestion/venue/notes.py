"""What the venue made of us: counted for Prometheus, and the last of it for the sign of life."""

from datetime import datetime

from quantbus_contracts.clock import Clock
from quantbus_services.ingestion.metrics import IngestionMetrics

__all__ = ["VenueNotes"]


class VenueNotes:
    """Remembers when the venue last limited or banned us, and how far its clock is from ours."""

    def __init__(self, venue: str, clock: Clock, metrics: IngestionMetrics) -> None:
        """Note what ``venue`` does, by ``clock``, and count it in ``metrics``."""
        self._venue = venue
        self._clock = clock
        self._metrics = metrics
        self._limited_at: datetime | None = None
        self._banned_at: datetime | None = None
        self._offset_seconds: float | None = None

    def error(self, kind: str) -> None:
        """Note a failed request; one that was not sent because of a ban is still a sign of the ban."""
        self._metrics.exchange_error(kind)
        if kind == "rate_limited":
            self._limited_at = self._clock.now()
        elif kind == "banned":
            self._banned_at = self._clock.now()

    def offset(self, source: str, seconds: float) -> None:
        """Note how far the clock of ``source`` is ahead."""
        self._metrics.clock_offset(source, seconds)
        self._offset_seconds = seconds

    def detail(self) -> dict[str, str | int | float | bool | None]:
        """Return the notes as part of a heartbeat's detail; moments, not ages."""
        return {
            "venue": self._venue,
            "venue_limited_at": self._limited_at.isoformat() if self._limited_at else None,
            "venue_banned_at": self._banned_at.isoformat() if self._banned_at else None,
            "venue_clock_offset_seconds": self._offset_seconds,
        }
