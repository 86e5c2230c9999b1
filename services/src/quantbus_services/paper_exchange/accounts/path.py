"""The exchange's price path as steps: what orders that wait in the book are filled by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.money import exact
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.series import floor_to

__all__ = ["Step", "steps_of"]

_BARS = 1_440  # read at a time


@dataclass(frozen=True, slots=True)
class Step:
    """One trade on the tape.

    Attributes
    ----------
    before
        The price from which the path came, within the same bar.
    amount
        What was traded, and so the most that waiting orders may be given.
    """

    time_ms: int
    before: Decimal
    price: Decimal
    amount: Decimal


def steps_of(
    market: Market,
    listing: Listing,
    after_ms: int,
    until_ms: int,
    concerns: Callable[[Decimal, Decimal], bool],
) -> Iterator[Step]:
    """Yield the steps in ``(after_ms, until_ms]``, oldest first.

    ``concerns`` is asked before each bar whether anything waits between its low and its high; the steps of a bar
    that concerns nobody are left out, which makes long times pass quickly.
    """
    base = market.source.base
    bar_ms = base.seconds * 1000
    start = floor_to(bar_ms, after_ms + 1)
    while start <= until_ms:
        end = start + _BARS * bar_ms
        bars = market.bars(listing.name, base, start, end, until_ms)
        for index in range(len(bars)):
            bar = bars.bar(index)
            low, high, before = (exact(one, listing.price_decimals) for one in (bar.low, bar.high, bar.open))
            if not concerns(low, high):
                continue
            opened = bar.open_time
            for trade in market.trades(listing.name, opened, opened + bar_ms - 1, until_ms):
                price = exact(trade.price, listing.price_decimals)
                if trade.time_ms > after_ms:
                    amount = exact(trade.amount, listing.amount_decimals)
                    yield Step(trade.time_ms, before, price, amount)
                before = price
        start = end
