"""How long a year is where markets never close."""

from quantbus_contracts.timeframe import Timeframe

__all__ = ["bars_per_year"]

_SECONDS = 365 * 86_400


def bars_per_year(timeframe: Timeframe) -> float:
    """Return how many bars a year of 365 days has, for annualising: 8,760 hours."""
    return _SECONDS / timeframe.seconds
