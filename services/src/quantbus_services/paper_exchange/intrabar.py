"""The bar in progress: what of a finished bar may be seen at an instant inside it.

A recorded bar says where the price went, not when. Its path is drawn here as straight lines from the open
through both extremes to the close. When the extremes come, and which comes first, is decided by the bar's
open time alone and never by its prices, so that the order does not give the close away.
"""

from dataclasses import dataclass
from itertools import pairwise

from quantbus_services.paper_exchange.listings import Listing
from quantbus_services.paper_exchange.series import Bar

__all__ = ["STEPS", "Path", "path_of", "seen_at"]

STEPS = 60
"""Extremes fall on sixtieths of the bar, so that sixty trades a bar can carry all four prices."""


@dataclass(frozen=True, slots=True)
class Path:
    """Corners of the price path: (share of the bar, price), from (0, open) to (1, close)."""

    corners: tuple[tuple[float, float], ...]

    def price(self, share: float) -> float:
        """Return the price after ``share`` (0..1) of the bar."""
        for (start, before), (end, after) in pairwise(self.corners):
            if share < end:
                return before + (after - before) * (share - start) / (end - start)
        return self.corners[-1][1]

    def passed(self, share: float) -> list[float]:
        """Return the prices of the corners that lie behind, and the price now."""
        return [price for at, price in self.corners if at <= share] + [self.price(share)]


def _mix(number: int) -> int:
    """Spread the bits of a counter (splitmix64's finaliser): chance that anyone can redo."""
    mask = (1 << 64) - 1
    number = (number + 0x9E3779B97F4A7C15) & mask
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & mask
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & mask
    return number ^ (number >> 31)


def path_of(bar: Bar) -> Path:
    """Return the price path of a finished bar."""
    chance = _mix(bar.open_time)
    early = (8 + chance % 20) / STEPS
    late = (34 + (chance >> 16) % 20) / STEPS
    first, second = (bar.low, bar.high) if (chance >> 32) & 1 else (bar.high, bar.low)
    return Path(((0.0, bar.open), (early, first), (late, second), (1.0, bar.close)))


def seen_at(bar: Bar, share: float, listing: Listing) -> Bar:
    """Return what is known of ``bar`` after ``share`` of its time (0 <= share < 1).

    Prices between corners are rounded to the tick. Neither the final high nor the final low shows before
    the path reaches it, nor the close before the end.
    """
    behind = path_of(bar).passed(share)
    now = min(max(round(behind[-1], listing.price_decimals), bar.low), bar.high)
    seen = [*behind[:-1], now]
    return Bar(
        open_time=bar.open_time,
        open=bar.open,
        high=max(seen),
        low=min(seen),
        close=now,
        volume=round(bar.volume * share, listing.amount_decimals),
        quote_volume=bar.quote_volume * share,
    )
