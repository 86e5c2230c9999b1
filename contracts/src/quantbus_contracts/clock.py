"""The wall clock, behind a protocol; this module holds the only wall-clock read of the product."""

from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "truncate_to_milliseconds"]


class Clock(Protocol):
    """Tells the time; injected wherever the present matters."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        return datetime.now(UTC)


def truncate_to_milliseconds(moment: datetime) -> datetime:
    """Drop what MongoDB would not keep, so that a value compares equal after a round trip."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
