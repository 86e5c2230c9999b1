"""What the venue's orders say about a claim; pure.

Freqtrade sends no id of ours along, so an order is recognised by pair, side, amount and time. What might be ours and
is not surely ours is never guessed about.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from quantbus_executor.claims.claim import Claim
from quantbus_executor.claims.venue import VenueOrder

__all__ = ["LOOK_BACK", "Finding", "Verdict", "verdict"]

_BEFORE = timedelta(seconds=60)
"""An order of ours is never older than its claim; two clocks may differ by this much."""
_AFTER = timedelta(seconds=90)
"""Freqtrade sends the order right after the claim, and the venue refuses one that was long on its way."""
LOOK_BACK = timedelta(hours=1)
"""How long before a claim the venue's orders are looked at: its clock or ours may have been wrong."""
_SAME = 1e-6


class Finding(StrEnum):
    """What was found."""

    NONE = "none"
    OURS = "ours"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding with what it rests on."""

    finding: Finding
    order: VenueOrder | None = None
    note: str | None = None


def verdict(claim: Claim, unknown_orders: Iterable[VenueOrder]) -> Verdict:
    """Judge a claim by the venue's orders of its pair that Freqtrade does not know.

    An order of the very amount at another time is ours if a clock was wrong when it was claimed; nothing says so,
    and nothing says otherwise.
    """
    fitting = [order for order in unknown_orders if _fits(claim, order)]
    possible = [order for order in fitting if _is_in_time(claim, order)]
    if not possible:
        stray = [order for order in fitting if _is_amount(order, claim.wish.amount) and _stands(order)]
        if not stray:
            return Verdict(Finding.NONE)
        told = ", ".join(f"{order.id} ({order.placed_at})" for order in stray)
        return Verdict(Finding.UNCLEAR, note=f"unknown orders of its amount stand at another time: {told}")
    exact = [order for order in possible if _is_amount(order, claim.wish.amount)]
    if len(exact) == 1:
        return Verdict(Finding.OURS, exact[0])
    named = ", ".join(f"{order.id} (amount {order.amount})" for order in possible)
    return Verdict(
        Finding.UNCLEAR,
        note=f"{len(exact)} of {len(possible)} unknown orders have the amount {claim.wish.amount}: {named}",
    )


def _fits(claim: Claim, order: VenueOrder) -> bool:
    return order.buying is claim.wish.buying and not order.reduces


def _stands(order: VenueOrder) -> bool:
    return not order.ended or bool(order.filled)


def _is_in_time(claim: Claim, order: VenueOrder) -> bool:
    if order.placed_at is None:
        return True
    return claim.claimed_at - _BEFORE <= order.placed_at <= claim.claimed_at + _AFTER


def _is_amount(order: VenueOrder, amount: float) -> bool:
    return order.amount is not None and math.isclose(order.amount, amount, rel_tol=_SAME)
