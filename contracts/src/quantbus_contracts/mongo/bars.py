"""A bar as plain values, between columns and documents."""

from datetime import datetime

__all__ = ["VALUES", "Bar"]

Bar = tuple[datetime, float, float, float, float, float]
"""Open time (UTC), open, high, low, close, volume."""

VALUES = ("open", "high", "low", "close", "volume")
"""The fields of a stored bar that a later fetch may correct."""
