"""How Qlib spells a timeframe."""

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe

__all__ = ["frequency_of", "timeframe_of"]


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
    for name in SUPPORTED_TIMEFRAMES:
        timeframe = Timeframe.parse(name)
        if frequency_of(timeframe) == frequency:
            return timeframe
    raise ConfigError(
        f"expected a frequency as Qlib spells it (day, 60min, 15min, 1min), found {frequency!r}"
    )
