"""The dates that answers carry, as a check on the venue's clock between two comparisons; pure."""

from datetime import datetime, timedelta

__all__ = ["VenueDates"]

_ROUNDING = timedelta(seconds=2)  # dates are cut to the second, and made a moment before the answer
_DOUBT = timedelta(seconds=5)


class VenueDates:
    """Tells how late it can be at the venue at most, by the date of its answer."""

    def __init__(self) -> None:
        """Take dates for the venue's time until clocks have been compared."""
        self._ahead: timedelta | None = timedelta(0)

    def compare(self, venue_now: datetime, date: datetime | None) -> None:
        """Note what the venue told as its time, and the date of that answer."""
        self._ahead = None if date is None else venue_now - date

    def latest(self, date: datetime | None) -> datetime | None:
        """Return an instant that the venue's clock has not passed at that answer; None if unknown."""
        if date is None or self._ahead is None:
            return None
        return date + self._ahead + _ROUNDING

    def contradict(self, date: datetime | None, believed: datetime) -> bool:
        """Tell whether an answer's date rules out the time we believe it to be at the venue."""
        latest = self.latest(date)
        return latest is not None and abs(latest - believed) > _DOUBT
