"""A signal's stop price: on which side of the market it lies, which of two is nearer, how far away it is."""

from math import isfinite

from quantbus_contracts.policy.side import PositionSide

__all__ = ["is_beyond_stop", "is_nearer_stop", "stop_distance"]

_SAME = 1e-9
"""Two stops that differ by less, as a fraction, are the same but for rounding."""


def is_beyond_stop(rate: float, stop: float, side: PositionSide) -> bool:
    """Tell whether the market is at the stop already, or worse for the position."""
    return rate <= stop if side == "long" else rate >= stop


def is_nearer_stop(stop: float, other: float | None, side: PositionSide) -> bool:
    """Tell whether ``stop`` ends a position sooner than ``other`` does; None or 0 is no stop at all."""
    if not other:
        return True
    return stop > other * (1 + _SAME) if side == "long" else stop < other * (1 - _SAME)


def stop_distance(stop: float, rate: float, side: PositionSide, leverage: float = 1.0) -> float | None:
    """Return how far below (for a short: above) ``rate`` the stop lies, as the share of the stake lost by then.

    That is how Freqtrade counts: 3 % away with a leverage of 5 is 0.15. None where the market is at the stop already,
    or a number is none.
    """
    if not all(isfinite(number) and number > 0 for number in (stop, rate, leverage)):
        return None
    if is_beyond_stop(rate, stop, side):
        return None
    return abs(1 - stop / rate) * leverage
