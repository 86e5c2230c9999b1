"""Made-up trades along the path of a bar; recordings of candles have none.

Sixty trades a bar, each with a sixtieth of its volume: together they give the bar's open-to-close path, its
extremes and (rounding apart) its volume back. A trade's number tells its time, so numbers never repeat.
"""

from dataclasses import dataclass

from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.prices.intrabar import STEPS, path_of
from quantbus_services.paper_exchange.series import Bar

__all__ = ["Trade", "number_at", "time_of", "trades_of"]


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade; ``is_sale`` if the buyer was the maker."""

    number: int
    time_ms: int
    price: float
    amount: float
    is_sale: bool


def number_at(moment_ms: int, bar_ms: int) -> int:
    """Return the number of the newest trade at or before the moment."""
    return (moment_ms + 1) * STEPS // bar_ms - 1


def time_of(number: int, bar_ms: int) -> int:
    """Return when a trade happened: just before the end of its sixtieth of the bar."""
    return -(-(number + 1) * bar_ms // STEPS) - 1


def trades_of(bar: Bar, bar_ms: int, listing: Listing) -> list[Trade]:
    """Return the trades of a finished bar; none if nothing was traded, one if it was too little to divide."""
    if bar.volume <= 0:
        return []
    first = bar.open_time * STEPS // bar_ms
    amount = round(bar.volume / STEPS, listing.amount_decimals)
    if amount <= 0:
        last = first + STEPS - 1
        return [Trade(last, time_of(last, bar_ms), bar.close, bar.volume, is_sale=False)]
    path = path_of(bar, listing)
    trades = []
    before = bar.open
    for step in range(1, STEPS + 1):
        number = first + step - 1
        price = path.price(step / STEPS)
        trades.append(Trade(number, time_of(number, bar_ms), price, amount, is_sale=price < before))
        before = price
    return trades
