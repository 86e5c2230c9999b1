"""The exchange's price path as steps: what orders that wait in the book are filled by."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from quantbus_services.paper_exchange.accounts.money import exact
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.series import floor_to
from quantbus_services.paper_exchange.tape import trades_of

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


def steps_of(market: Market, name: str, after_ms: int, until_ms: int) -> Iterator[Step]:
    """Yield the steps in ``(after_ms, until_ms]``, oldest first."""
    listing = market.listings[name]
    bar_ms = market.source.base.seconds * 1000
    start = floor_to(bar_ms, after_ms + 1)
    while start <= until_ms:
        end = min(start + _BARS * bar_ms, until_ms + 1)
        bars = market.source.bars(name, start, end)
        for index in range(len(bars)):
            bar = bars.bar(index)
            before = exact(bar.open, listing.price_decimals)
            for trade in trades_of(bar, bar_ms, listing):
                price = exact(trade.price, listing.price_decimals)
                if after_ms < trade.time_ms <= until_ms:
                    yield Step(trade.time_ms, before, price, exact(trade.amount, listing.amount_decimals))
                before = price
        start += _BARS * bar_ms
