"""A bar as plain values, between columns and documents."""

from datetime import datetime

__all__ = ["Bar"]

Bar = tuple[datetime, float, float, float, float, float]
"""Open time (UTC), open, high, low, close, volume."""
