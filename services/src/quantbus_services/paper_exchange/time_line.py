"""The exchange's own time: the machine's, moved, or running faster; every timestamp of the venue is its."""

from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError

__all__ = ["VenueClock"]


class VenueClock:
    """Shows ``start`` at the instant ``anchor`` of the wall clock and runs ``speed`` times as fast.

    The same anchor, start and speed show the same time after any restart.
    """

    def __init__(
        self,
        wall: Clock,
        *,
        anchor: datetime | None = None,
        start: datetime | None = None,
        speed: float = 1.0,
    ) -> None:
        """Anchor it now unless told otherwise; without ``start`` it shows the wall clock's time at the anchor.

        Raises
        ------
        ConfigError
            If the anchor lies ahead of the wall clock, or the speed is not above zero.
        """
        if not 0 < speed <= 3_600:
            raise ConfigError(f"expected a speed above 0 and at most 3600, found {speed!r}")
        now = wall.now()
        self._wall = wall
        self.anchor = anchor or now
        if self.anchor > now:
            raise ConfigError(f"expected an anchor in the past of {now.isoformat()}, found {anchor!s}")
        self.start = start or self.anchor
        self.speed = speed
        self._jumped = timedelta(0)

    @property
    def jumped(self) -> timedelta:
        """Return the sum of the jumps so far."""
        return self._jumped

    def now(self) -> datetime:
        """Return the exchange's present as an aware UTC datetime."""
        return self.start + (self._wall.now() - self.anchor) * self.speed + self._jumped

    def now_ms(self) -> int:
        """Return the exchange's present in Unix milliseconds."""
        return int(self.now().timestamp() * 1000)

    def jump(self, by: timedelta) -> None:
        """Show a time that is ``by`` later (earlier, if negative) from now on."""
        self._jumped += by
