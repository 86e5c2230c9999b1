"""One side of the venue, spot or futures, as orders see it: its markets, its book and its clearing."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from quantbus_services.paper_exchange.accounts.matching import Match
from quantbus_services.paper_exchange.accounts.money import exact
from quantbus_services.paper_exchange.accounts.records import Account, Fill, Order, Side
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import Market

__all__ = ["Clearing", "TradingBoard"]

_LEVELS = 1_000
"""How deep a taker may go: about five percent of the price; what is left of a market order then expires."""


class Clearing(Protocol):
    """What orders and fills do to an account."""

    def reserve(self, account: Account, order: Order, matches: Sequence[Match], now_ms: int) -> None:
        """Set aside what an order needs, or refuse it; ``matches`` are what it takes at once."""
        ...

    def affordable(self, account: Account, order: Order, matches: Sequence[Match], at_ms: int) -> list[Match]:
        """Return the part of ``matches`` that the account may have."""
        ...

    def fill(self, account: Account, order: Order, match: Match, *, is_maker: bool, at_ms: int) -> Fill:
        """Book one fill."""
        ...

    def release(self, account: Account, order: Order) -> None:
        """Give back what an order that has ended did not use."""
        ...


@dataclass(frozen=True, slots=True)
class TradingBoard:
    """The markets of one side, and how they are cleared."""

    market: Market
    clearing: Clearing

    def listing(self, symbol: str, now_ms: int) -> Listing:
        """Return a market that is listed.

        Raises
        ------
        Refusal
            If there is none of that name.
        """
        listing = self.market.listed(now_ms).get(symbol)
        if listing is None:
            raise Refusal(-1121, "Invalid symbol.")
        return listing

    def open_listing(self, symbol: str, now_ms: int) -> Listing:
        """Return a market that trades.

        Raises
        ------
        Refusal
            If there is none, or it is halted.
        """
        listing = self.listing(symbol, now_ms)
        if self.market.is_over(symbol, now_ms):
            raise Refusal(-1013, "Market is closed.")
        return listing

    def last_price(self, listing: Listing, now_ms: int) -> Decimal:
        """Return the newest price."""
        return exact(self.market.last_price(listing.name, now_ms), listing.price_decimals)

    def levels(self, listing: Listing, side: Side, now_ms: int) -> list[Match]:
        """Return what a taker of ``side`` may have, best first."""
        book = self.market.book(listing.name, _LEVELS, now_ms)
        return [
            Match(exact(price, listing.price_decimals), exact(amount, listing.amount_decimals))
            for price, amount in (book.asks if side is Side.BUY else book.bids)
        ]
