"""How Qlib spells a timeframe, and how many of its bars a year has where markets never close."""

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe

__all__ = ["bars_per_year", "frequency_of", "timeframe_of"]

_DAYS_OF_YEAR = 365


def frequency_of(timeframe: Timeframe) -> str:
    """Return Qlib's name of a timeframe: ``day``, or minutes as ``60min``; it knows no hours."""
    return "day" if timeframe.is_daily else f"{timeframe.seconds // 60}min"


def timeframe_of(frequency: str) -> Timeframe:
    """Read Qlib's name of a timeframe.

    Raises
    ------
    ConfigError
        If it is none of ours.
    """
    minutes = 1440 if frequency == "day" else int(frequency[:-3]) if frequency[:-3].isdecimal() else 0
    for name in ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"):
        timeframe = Timeframe.parse(name)
        if timeframe.seconds == minutes * 60 and frequency_of(timeframe) == frequency:
            return timeframe
    raise ConfigError(
        f"expected a frequency as Qlib spells it (day, 60min, 15min, 1min), found {frequency!r}"
    )


def bars_per_year(timeframe: Timeframe) -> float:
    """Return how many bars a year has, for annualising: 8,760 hours. Qlib itself counts a stock market's hours."""
    return _DAYS_OF_YEAR * 86_400 / timeframe.seconds
