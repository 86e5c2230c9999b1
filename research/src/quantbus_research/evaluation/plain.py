"""Figures as JSON can hold them."""

from math import isfinite

__all__ = ["with_none_for_nan"]


def with_none_for_nan(value: object) -> object:
    """Return figures, however nested, with None where a number does not exist or has no end; tuples become lists."""
    if isinstance(value, dict):
        return {str(key): with_none_for_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_none_for_nan(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
