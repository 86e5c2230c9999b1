"""A made-up order book around the current price; recordings of candles have none.

The spread is about one basis point, levels stand half a basis point apart, amounts grow with the distance and
with the market's recent volume. Equal inputs give an equal book.
"""

from dataclasses import dataclass

import numpy as np

from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["Book", "Level", "book_around"]

_GAP = 0.5e-4  # from the price to the best level, and from level to level
_SHARE_OF_BAR = 0.1  # of a typical bar's volume at the best level

Level = tuple[float, float]
"""Price and amount."""


@dataclass(frozen=True, slots=True)
class Book:
    """Best levels first."""

    bids: list[Level]
    asks: list[Level]

    @property
    def best_bid(self) -> Level:
        """Return the highest bid; zeros if there is none."""
        return self.bids[0] if self.bids else (0.0, 0.0)

    @property
    def best_ask(self) -> Level:
        """Return the lowest ask; zeros if there is none."""
        return self.asks[0] if self.asks else (0.0, 0.0)


def book_around(price: float, listing: Listing, *, levels: int, typical_volume: float, variant: int) -> Book:
    """Return ``levels`` bids and asks; ``variant`` stirs the amounts."""
    scale = 10**listing.price_decimals
    middle = round(price * scale)
    gap = max(1, round(price * scale * _GAP))
    distance = gap * np.arange(1, levels + 1, dtype=np.int64)
    amounts = _amounts(listing, levels, typical_volume, variant)
    asks = (middle + distance) / scale
    bids = (middle - distance)[middle > distance] / scale
    return Book(
        bids=list(zip(bids.tolist(), amounts[0].tolist(), strict=False)),
        asks=list(zip(asks.tolist(), amounts[1].tolist(), strict=True)),
    )


def _amounts(
    listing: Listing, levels: int, typical_volume: float, variant: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return amounts of bids and asks, multiples of the step."""
    steps = max(typical_volume * _SHARE_OF_BAR / listing.step, 10)
    chance = np.random.default_rng(variant)
    # Drawn level by level, so that a shorter book is the beginning of a longer one.
    shape = (0.5 + chance.random((levels, 2)).T) * (1 + np.arange(levels) / 4)
    amounts: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.ceil(steps * shape) * listing.step
    return amounts
