"""A clock that moves only when told to."""

from datetime import UTC, datetime, timedelta

__all__ = ["FrozenClock"]


class FrozenClock:
    """Stands at ``now`` until advanced or set."""

    def __init__(self, now: datetime = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)) -> None:
        """Start at ``now``."""
        self._now = now

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self._now

    def advance(self, delta: timedelta) -> datetime:
        """Move by ``delta`` (backwards too) and return the new present."""
        self._now += delta
        return self._now

    def set(self, now: datetime) -> None:
        """Jump to ``now``."""
        self._now = now
