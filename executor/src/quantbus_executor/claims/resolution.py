"""Finds out what became of claims: by Freqtrade's own trades, else by asking; never by trying again.

A claim is open from before its order is sent until a trade of Freqtrade carries the order. In a dry run nobody but
this process can have an order, so a claim of an earlier process is released at once. With an account the venue may
have an order that Freqtrade never heard of: Freqtrade commits a trade only after the venue has answered.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import VenueError
from quantbus_executor.claims.claim import Claim, ClaimState
from quantbus_executor.claims.inquiry import Inquiry
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.claims.venue import Venue, VenueOrder
from quantbus_executor.claims.verdict import LOOK_BACK, Finding, verdict
from quantbus_executor.guard import fails_to
from quantbus_executor.trades.book import OrderRecord, TradeBook

__all__ = ["Patience", "Resolver"]

logger = logging.getLogger(__name__)
_IN_PROGRESS = timedelta(seconds=30)
"""A person's order comes through another thread: in a dry run, a claim may be without a trade for this long."""
_ASK_AGAIN = timedelta(seconds=5)
_GLANCE = 0.05
"""A venue that answers at once is not kept for the next loop."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait with a claim that no trade carries."""

    settle_after: timedelta = timedelta(seconds=20)
    """Until the venue is asked: an order that was on its way has arrived by then, or is refused as too old."""
    give_up_after: timedelta = timedelta(seconds=900)
    """From the first question without an answer until the venue is not asked any more."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Questions about an attempt that brought no answer: the first and the last of them."""

    first: datetime
    last: datetime


class Resolver:
    """Settles open claims, one question to the venue at a time."""

    def __init__(
        self,
        register: ClaimRegister,
        book: TradeBook,
        clock: Clock,
        venue: Venue | None,
        patience: Patience | None = None,
    ) -> None:
        """Settle what is in ``register`` by ``book`` and ``venue``; None for a venue is a dry run."""
        self._register = register
        self._book = book
        self._clock = clock
        self._venue = venue
        self._patience = patience or Patience()
        self._inquiry: Inquiry | None = None
        self._failures: dict[tuple[str, int], _Failure] = {}

    def resolve(self) -> None:
        """Settle what can be settled now."""
        now = self._clock.now()
        in_doubt = self._register.in_state(ClaimState.OPEN)
        if self._inquiry is not None and self._inquiry.claim not in in_doubt:
            self._inquiry = None
        attempts = {_attempt(claim) for claim in in_doubt}
        self._failures = {name: failure for name, failure in self._failures.items() if name in attempts}
        for claim in in_doubt:
            self._resolve_one(claim, now)

    @fails_to(None)  # one that cannot be settled must not keep the others waiting
    def _resolve_one(self, claim: Claim, now: datetime) -> None:
        placed = self._placed(claim)
        if placed is not None:
            self._register.settle(claim, ClaimState.PLACED, now, order_id=placed.order_id)
        elif self._venue is None:
            self._release_of_dry_run(claim, now)
        else:
            self._look(claim, self._venue, now)

    def _placed(self, claim: Claim) -> OrderRecord | None:
        """Return the order of the trade that carries a claim; None if none does."""
        wish = claim.wish
        if wish.trade_id is None:
            trades = self._book.tagged(wish.tag)
        else:
            trade = self._book.trade(wish.trade_id)
            trades = [trade] if trade is not None else []
        orders = [order for trade in trades for order in trade.orders if order.ft_order_tag == wish.tag]
        return orders[0] if orders else None

    def _release_of_dry_run(self, claim: Claim, now: datetime) -> None:
        if claim.process != self._register.process or abs(now - claim.claimed_at) >= _IN_PROGRESS:
            self._release(claim, now, "no trade of the dry run carries it")

    def _look(self, claim: Claim, venue: Venue, now: datetime) -> None:
        """Take the next step in asking the venue about a claim; the question on its way may be about another one."""
        if self._inquiry is None and self._is_time_to_ask(claim, now):
            if not venue.lists_orders():
                self._give_up(claim, now, "the venue cannot be asked for the orders of a pair")
                return
            since = min(claim.claimed_at, now) - LOOK_BACK
            self._inquiry = Inquiry(venue, claim, since)
            self._inquiry.wait(_GLANCE)
        asked = self._inquiry
        if asked is None or asked.claim != claim or not asked.is_over:
            return
        self._inquiry = None
        try:
            orders = asked.orders()
        except VenueError as error:
            self._ask_later(claim, now, f"the venue did not say: {error}")
            return
        if not self._is_concluded(claim, venue, orders, now):
            self._ask_later(claim, now, "what the venue said could not be used, see the error above")

    def _is_time_to_ask(self, claim: Claim, now: datetime) -> bool:
        elapsed = abs(now - claim.claimed_at)  # the clock may have been set back since
        if elapsed < self._patience.settle_after:
            return False
        failure = self._failures.get(_attempt(claim))
        return failure is None or not timedelta(0) <= now - failure.last < _ASK_AGAIN

    def _ask_later(self, claim: Claim, now: datetime, why: str) -> None:
        """Ask again after a while, and others meanwhile; give up where that has gone on for too long."""
        former = self._failures.get(_attempt(claim))
        since = former.first if former is not None else now
        if now - since >= self._patience.give_up_after:
            self._give_up(claim, now, why)
            return
        self._failures[_attempt(claim)] = _Failure(since, now)
        logger.warning(
            "%s: it is not known yet whether the venue has an order of signal %s; asking again: %s",
            claim.wish.pair,
            claim.wish.signal_id,
            why,
        )

    @fails_to(False)
    def _is_concluded(self, claim: Claim, venue: Venue, orders: Sequence[VenueOrder], now: datetime) -> bool:
        strange = [order for order in orders if self._is_strange(order, claim, venue)]
        self._conclude(claim, venue, strange, now)
        return True

    def _is_strange(self, order: VenueOrder, claim: Claim, venue: Venue) -> bool:
        return not venue.knows(order.id, claim.wish.pair) and not self._register.has_order(
            order.id, claim.wish.pair
        )

    def _conclude(self, claim: Claim, venue: Venue, orders: list[VenueOrder], now: datetime) -> None:
        said = verdict(claim, orders)
        match said.finding:
            case Finding.NONE:
                self._release(claim, now, "the venue has no order of it")
            case Finding.UNCLEAR:
                self._give_up(claim, now, said.note or "")
            case Finding.OURS if said.order is not None:
                self._take(claim, venue, said.order, now)

    def _take(self, claim: Claim, venue: Venue, order: VenueOrder, now: datetime) -> None:
        if order.ended and not order.filled:
            logger.warning("%s: the venue ended order %s without a fill", claim.wish.pair, order.id)
            self._register.settle(claim, ClaimState.UNFILLED, now, order_id=order.id)
            return
        trade_id = venue.adopt(claim, order.raw)
        if trade_id is None:
            self._give_up(claim, now, f"order {order.id} is at the venue and belongs to no trade of the bot")
            return
        logger.warning(
            "%s: order %s of signal %s was at the venue and not in Freqtrade's database; trade %d has it now",
            claim.wish.pair,
            order.id,
            claim.wish.signal_id,
            trade_id,
        )
        self._register.settle(claim, ClaimState.PLACED, now, order_id=order.id)

    def _release(self, claim: Claim, now: datetime, why: str) -> None:
        logger.warning(
            "%s: the claim of signal %s is released: %s", claim.wish.pair, claim.wish.signal_id, why
        )
        self._register.settle(claim, ClaimState.RELEASED, now, note=why)

    def _give_up(self, claim: Claim, now: datetime, why: str) -> None:
        logger.error(
            "%s: NO ENTRIES until a person has looked at the venue: it is unknown whether there is an order of signal "
            "%s (%s). Then say so with `quantbus executor settle`",
            claim.wish.pair,
            claim.wish.signal_id,
            why,
        )
        self._register.settle(claim, ClaimState.UNKNOWN, now, note=why)


def _attempt(claim: Claim) -> tuple[str, int]:
    return claim.wish.key, claim.attempts
