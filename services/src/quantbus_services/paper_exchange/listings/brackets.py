"""How much leverage a position may have by its size, and what margin it must keep; as Binance tiers it."""

from dataclasses import dataclass
from typing import Any

from quantbus_services.paper_exchange.listings.listings import Listing

__all__ = ["Bracket", "bracket_rows", "brackets_of"]

_DEEP = (
    (300_000, 125, 0.004), (800_000, 100, 0.005), (3_000_000, 75, 0.0065), (12_000_000, 50, 0.01),
    (70_000_000, 25, 0.02), (100_000_000, 20, 0.025), (230_000_000, 10, 0.05), (480_000_000, 5, 0.1),
    (600_000_000, 4, 0.125), (800_000_000, 3, 0.15), (1_200_000_000, 2, 0.25), (1_800_000_000, 1, 0.5),
)  # fmt: skip
_OTHERS = (
    (10_000, 75, 0.01), (50_000, 50, 0.015), (150_000, 25, 0.02), (500_000, 20, 0.025), (1_000_000, 10, 0.05),
    (2_000_000, 5, 0.1), (5_000_000, 3, 0.15), (10_000_000, 2, 0.25), (20_000_000, 1, 0.5),
)  # fmt: skip
_DEEP_BASES = frozenset({"BTC", "ETH"})


@dataclass(frozen=True, slots=True)
class Bracket:
    """One tier, for positions worth ``(floor, cap]`` of the quote currency.

    Attributes
    ----------
    number
        From 1 for the smallest positions.
    leverage
        The most that is allowed.
    margin_ratio
        Maintenance margin = position's worth * ``margin_ratio`` - ``deduction``.
    deduction
        Makes the margin continuous from tier to tier (Binance calls it ``cum``).
    """

    number: int
    floor: float
    cap: float
    leverage: int
    margin_ratio: float
    deduction: float


def brackets_of(listing: Listing) -> tuple[Bracket, ...]:
    """Return the tiers of a market, smallest positions first."""
    tiers = _DEEP if listing.base in _DEEP_BASES else _OTHERS
    brackets: list[Bracket] = []
    floor, ratio_before, deduction = 0.0, 0.0, 0.0
    for number, (cap, leverage, ratio) in enumerate(tiers, start=1):
        deduction += floor * (ratio - ratio_before)
        brackets.append(Bracket(number, floor, float(cap), leverage, ratio, round(deduction, 8)))
        floor, ratio_before = float(cap), ratio
    return tuple(brackets)


def bracket_rows(listing: Listing) -> dict[str, Any]:
    """Return the tiers of a market in the form of ``/fapi/v1/leverageBracket``."""
    return {
        "symbol": listing.name,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": bracket.number,
                "initialLeverage": bracket.leverage,
                "notionalCap": bracket.cap,
                "notionalFloor": bracket.floor,
                "maintMarginRatio": bracket.margin_ratio,
                "cum": bracket.deduction,
            }
            for bracket in brackets_of(listing)
        ],
    }
