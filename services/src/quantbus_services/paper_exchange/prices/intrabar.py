"""The bar in progress: what of a finished bar may be seen at an instant inside it.

A recorded bar says where the price went, not when. Its path is drawn here as straight lines from the open
through both extremes to the close. When the extremes come, and which comes first, is decided by the bar's
open time alone and never by its prices, so that the order does not give the close away.
"""

from bisect import bisect_right
from dataclasses import dataclass

from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.series import Bar

__all__ = ["STEPS", "Path", "path_of", "seen_at"]

STEPS = 60
"""Extremes fall on sixtieths of the bar, so that sixty trades a bar can carry all four prices."""


@dataclass(frozen=True, slots=True)
class Path:
    """Corners of the price path, from the open at 0 to the close at 1.

    Attributes
    ----------
    shares
        When each corner is reached, as a share of the bar.
    ticks
        The price there, in ticks.
    scale
        Ticks in one unit of quote currency.
    """

    shares: tuple[float, ...]
    ticks: tuple[int, ...]
    scale: int

    def price(self, share: float) -> float:
        """Return the price after ``share`` (0..1) of the bar; a corner's price not before the corner."""
        behind = bisect_right(self.shares, share) - 1
        if behind == len(self.shares) - 1:
            return self.ticks[-1] / self.scale
        start, end = self.shares[behind : behind + 2]
        before, after = self.ticks[behind : behind + 2]
        return (before + int((after - before) * (share - start) / (end - start))) / self.scale

    def passed(self, share: float) -> list[float]:
        """Return the prices of the corners that lie behind, and last the price now."""
        behind = bisect_right(self.shares, share)
        return [ticks / self.scale for ticks in self.ticks[:behind]] + [self.price(share)]


def _mix(number: int) -> int:
    """Spread the bits of a counter (splitmix64's finaliser): chance that anyone can redo."""
    mask = (1 << 64) - 1
    number = (number + 0x9E3779B97F4A7C15) & mask
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & mask
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & mask
    return number ^ (number >> 31)


def path_of(bar: Bar, listing: Listing) -> Path:
    """Return the price path of a finished bar."""
    chance = _mix(bar.open_time)
    early = (8 + chance % 20) / STEPS
    late = (34 + (chance >> 16) % 20) / STEPS
    first, second = (bar.low, bar.high) if (chance >> 32) & 1 else (bar.high, bar.low)
    scale = 10**listing.price_decimals
    ticks = tuple(round(price * scale) for price in (bar.open, first, second, bar.close))
    return Path((0.0, early, late, 1.0), ticks, scale)


def seen_at(bar: Bar, share: float, listing: Listing) -> Bar:
    """Return what is known of ``bar`` after ``share`` of its time (0 <= share < 1).

    Neither the final high nor the final low shows before the path reaches it, nor the close before the end.
    """
    seen = path_of(bar, listing).passed(share)
    high, low, close = max(seen), min(seen), seen[-1]
    volume = round(bar.volume * share, listing.amount_decimals)
    return Bar(
        open_time=bar.open_time,
        open=bar.open,
        high=high,
        low=low,
        close=close,
        volume=volume,
        # At the mean of what is seen: the finished bar's would tell its extremes and its close.
        quote_volume=volume * ((bar.open + high + low + close) / 4),
    )
