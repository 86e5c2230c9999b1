"""Exact amounts: decimals with at most 28 digits, which no sum of prices times amounts here exceeds."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

__all__ = ["exact", "fee_of", "is_multiple", "rounded", "step_of", "text"]

_CENT = Decimal("1e-8")


def exact(number: float, decimals: int) -> Decimal:
    """Return a price or amount of the market as it is written."""
    return Decimal(f"{number:.{decimals}f}")


def step_of(decimals: int) -> Decimal:
    """Return the smallest step with so many decimals."""
    return Decimal(1).scaleb(-decimals)


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Tell whether ``number`` is a whole number of steps."""
    return number % step == 0


def rounded(number: Decimal) -> Decimal:
    """Round to eight decimals."""
    return number.quantize(_CENT, ROUND_HALF_UP)


def fee_of(worth: Decimal, rate: Decimal) -> Decimal:
    """Return what is charged, in eight decimals."""
    return rounded(worth * rate)


def text(number: Decimal) -> str:
    """Write with eight decimals; digits beyond are cut off, so that no more is shown than there is."""
    return f"{number.quantize(_CENT, ROUND_DOWN):f}"
