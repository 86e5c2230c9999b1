"""Bringing the accounts up to now: everything that has happened to them since they were last looked at.

Steps of all price paths are taken in the order of their times, so that what becomes of an account does not
depend on when, or how often, anyone asks.
"""

import heapq
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.matching import may_reach
from quantbus_services.paper_exchange.accounts.money import exact
from quantbus_services.paper_exchange.accounts.path import Step, steps_of
from quantbus_services.paper_exchange.accounts.records import ZERO, Board, Status
from quantbus_services.paper_exchange.accounts.risk import Risk
from quantbus_services.paper_exchange.accounts.trading import Trading
from quantbus_services.paper_exchange.generator.funding import Funding
from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["Settlement"]


class _Event(NamedTuple):
    time_ms: int
    board: Board
    symbol: str
    rank: int  # funding before the trade of the same instant
    listing: Listing
    what: Step | Funding


class Settlement:
    """Walks the price paths of whatever has an open order or a position."""

    def __init__(self, ledger: Ledger, trading: Trading, risk: Risk | None) -> None:
        """Settle the accounts of ``ledger``; without ``risk`` there are no futures."""
        self._ledger = ledger
        self._trading = trading
        self._risk = risk

    def settle(self, now_ms: int) -> None:
        """Bring the accounts up to now; a time that was settled already changes nothing."""
        after = self._ledger.settled_ms
        if now_ms <= after:
            return
        if after:
            for until in self._stops(after, now_ms):
                self._settle(after, until)
                after = until
        self._ledger.settled_ms = now_ms

    def _stops(self, after_ms: int, now_ms: int) -> list[int]:
        """Return where the way to now is interrupted: before and at every change of the market lists."""
        turns = {turn for market in self._trading.markets() for turn in market.turns(after_ms, now_ms)}
        stops = {now_ms, *turns, *(turn - 1 for turn in turns)}
        return sorted(stop for stop in stops if stop > after_ms)

    def _settle(self, after_ms: int, until_ms: int) -> None:
        watched = self._watched()
        events = [self._events(board, symbol, after_ms, until_ms) for board, symbol in watched]
        for event in heapq.merge(*events, key=lambda one: one[:4]):
            self._take(event)
        for board, symbol in watched:
            self._wind_up(board, symbol, after_ms, until_ms)

    def _watched(self) -> list[tuple[Board, str]]:
        watched: set[tuple[Board, str]] = {(one.board, one.symbol) for one in self._ledger.open_orders()}
        if self._risk is not None:
            for account in self._ledger.accounts.values():
                watched.update(("futures", position.symbol) for position in account.held())
        return sorted(watched)

    def _events(self, board: Board, symbol: str, after_ms: int, until_ms: int) -> Iterator[_Event]:
        market = self._trading.board(board).market
        listing = market.listed(until_ms).get(symbol)
        if listing is None:
            return
        steps = (
            _Event(step.time_ms, board, symbol, 1, listing, step)
            for step in steps_of(market, listing, after_ms, until_ms, partial(self._concerns, board, symbol))
        )
        if board == "spot" or self._risk is None:
            yield from steps
            return
        fundings = (
            _Event(one.time_ms, board, symbol, 0, listing, one)
            for one in self._risk.fundings(symbol, after_ms, until_ms)
        )
        yield from heapq.merge(fundings, steps, key=lambda one: one[:4])

    def _concerns(self, board: Board, symbol: str, low: Decimal, high: Decimal) -> bool:
        """Tell whether a bar could start or fill an order, or end a position."""
        if board == "futures" and any(one.held(symbol) for one in self._ledger.accounts.values()):
            return True
        return any(may_reach(order, low, high) for order in self._ledger.open_orders(board, symbol))

    def _take(self, event: _Event) -> None:
        if self._risk is not None and isinstance(event.what, Funding):
            self._risk.pay(event.symbol, event.what)
        elif isinstance(event.what, Step):
            if self._risk is not None and event.board == "futures":
                self._risk.check(event.listing, event.what)
            self._trading.advance(event.board, event.listing, event.what)

    def _wind_up(self, board: Board, symbol: str, after_ms: int, now_ms: int) -> None:
        """End what is open in a market that has ended or is gone."""
        market = self._trading.board(board).market
        if symbol in market.listed(now_ms) and not market.is_over(symbol, now_ms):
            return
        for order in self._ledger.open_orders(board, symbol):
            self._trading.end(order, Status.EXPIRED, now_ms)
        if board == "spot" or self._risk is None:
            return
        seen_ms = now_ms if symbol in market.listed(now_ms) else after_ms
        listing = market.listed(seen_ms).get(symbol)
        if listing is not None:
            price = exact(market.last_price(symbol, seen_ms), listing.price_decimals)
            self._risk.wind_up(listing, Step(now_ms, price, price, ZERO))
