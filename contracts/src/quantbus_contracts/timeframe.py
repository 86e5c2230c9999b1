"""Bar arithmetic; the only place that has any.

A bar is named by its **open** time. Bar ``ts`` of timeframe ``tf`` is closed at ``ts + tf``, and
nothing computed from it may be used before that instant. Every timeframe here divides a UTC day,
so bars are aligned to the Unix epoch and a 1d bar is a natural UTC day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Self

from quantbus_contracts.errors import ContractError

__all__ = ["SUPPORTED_TIMEFRAMES", "Timeframe"]

_SECONDS = {
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1_800,
    "1h": 3_600,
    "2h": 7_200,
    "4h": 14_400,
    "6h": 21_600,
    "8h": 28_800,
    "12h": 43_200,
    "1d": 86_400,
}
SUPPORTED_TIMEFRAMES: tuple[str, ...] = tuple(_SECONDS)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Timeframe:
    """The length of a bar. Ordered by length; equal if of equal length."""

    seconds: int

    @classmethod
    def parse(cls, name: str | Self) -> Self:
        """Return the timeframe called ``name`` (``'1m'``, ``'1h'``, ``'1d'`` …).

        Raises
        ------
        ContractError
            If the name is not one of `SUPPORTED_TIMEFRAMES`.
        """
        if isinstance(name, cls):
            return name
        try:
            return cls(_SECONDS[str(name)])
        except KeyError:
            raise ContractError(
                f"expected a timeframe out of {', '.join(SUPPORTED_TIMEFRAMES)}, found {name!r}",
                field="timeframe",
                value=name,
            ) from None

    @property
    def name(self) -> str:
        """The spelling that Freqtrade, ccxt and the bus share."""
        return _names()[self.seconds]

    @property
    def delta(self) -> timedelta:
        """The length as a timedelta."""
        return timedelta(seconds=self.seconds)

    @property
    def is_daily(self) -> bool:
        """Whether bars are natural UTC days (stored by ``date`` instead of ``datetime``)."""
        return self.seconds == _SECONDS["1d"]

    def floor(self, moment: datetime) -> datetime:
        """Return the open time of the bar that contains ``moment``."""
        _require_aware(moment)
        whole = (moment - _EPOCH) // self.delta
        return _EPOCH + whole * self.delta

    def is_open_time(self, moment: datetime) -> bool:
        """Tell whether a bar opens at exactly ``moment``."""
        return self.floor(moment) == moment

    def close_of(self, open_time: datetime) -> datetime:
        """Return the instant at which the bar opened at ``open_time`` is closed (exclusive end).

        Raises
        ------
        ContractError
            If no bar of this timeframe opens at ``open_time``.
        """
        if not self.is_open_time(open_time):
            raise ContractError(
                f"expected the open time of a {self.name} bar, found {open_time.isoformat()}; "
                f"the bar that contains it opens at {self.floor(open_time).isoformat()}",
                field="ts",
                value=open_time,
            )
        return open_time + self.delta

    def last_closed(self, now: datetime, grace: timedelta = timedelta(0)) -> datetime:
        """Return the open time of the newest bar that is closed at ``now`` for at least ``grace``."""
        return self.floor(now - grace) - self.delta

    def range(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the open times in ``[start, end)``, oldest first."""
        first = self.floor(start)
        moment = first if first == start else first + self.delta
        while moment < end:
            yield moment
            moment += self.delta

    def count(self, start: datetime, end: datetime) -> int:
        """Return how many bars open in ``[start, end)``."""
        return max(0, self._ceil_index(end) - self._ceil_index(start))

    def _ceil_index(self, moment: datetime) -> int:
        _require_aware(moment)
        return -((_EPOCH - moment) // self.delta)

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=1)
def _names() -> dict[int, str]:
    return {seconds: name for name, seconds in _SECONDS.items()}


def _require_aware(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ContractError(
            f"expected an aware UTC datetime, found the naive {moment!r}; attach a time zone",
            field="ts",
            value=moment,
        )
