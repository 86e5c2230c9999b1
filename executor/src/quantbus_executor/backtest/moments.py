"""A clock that shows the moment a rehearsal has come to."""

from datetime import datetime

__all__ = ["SteppedClock"]


class SteppedClock:
    """Shows what it was set to last."""

    def __init__(self, now: datetime) -> None:
        """Show ``now`` (aware UTC)."""
        self._now = now

    def now(self) -> datetime:
        """Return the moment."""
        return self._now

    def set(self, now: datetime) -> None:
        """Show another moment."""
        self._now = now
