"""Seasonality: where in the day and week a bar opens (UTC), and how this time was before."""

from quantbus_research.factors._template import template
from quantbus_research.factors.expressions import (
    Node,
    cosine,
    lag,
    log1p,
    phase,
    ratio,
    sine,
    within,
)
from quantbus_research.factors.families._columns import absolute_return, returns, time, volume

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_WEEK = 7 * _DAY
_FIRST_MONDAY = 4 * _DAY  # 1970-01-05
_TURN = "coordinate of a circle, -1 to 1"
_FLAG = "1 or 0"


@template(_TURN)
def day_sine() -> Node:
    """Give the time of day, first coordinate."""
    return sine(phase(time, _DAY))


@template(_TURN)
def day_cosine() -> Node:
    """Give the time of day, second coordinate."""
    return cosine(phase(time, _DAY))


@template(_TURN)
def week_sine() -> Node:
    """Give the time of week, first coordinate."""
    return sine(phase(time, _WEEK, _FIRST_MONDAY))


@template(_TURN)
def week_cosine() -> Node:
    """Give the time of week, second coordinate."""
    return cosine(phase(time, _WEEK, _FIRST_MONDAY))


@template(_TURN)
def hour_sine() -> Node:
    """Give the time within the hour, first coordinate."""
    return sine(phase(time, _HOUR))


@template(_TURN)
def hour_cosine() -> Node:
    """Give the time within the hour, second coordinate."""
    return cosine(phase(time, _HOUR))


@template(_FLAG)
def is_weekend() -> Node:
    """Say whether it is Saturday or Sunday."""
    return within(phase(time, _WEEK, _FIRST_MONDAY), 5 / 7, 1)


@template(_FLAG)
def is_asian_session() -> Node:
    """Say whether it is 00:00 to 08:00."""
    return within(phase(time, _DAY), 0, 8 / 24)


@template(_FLAG)
def is_european_session() -> Node:
    """Say whether it is 08:00 to 16:00."""
    return within(phase(time, _DAY), 8 / 24, 16 / 24)


@template(_FLAG)
def is_american_session() -> Node:
    """Say whether it is 13:00 to 21:00."""
    return within(phase(time, _DAY), 13 / 24, 21 / 24)


@template("share of eight hours, 0 to below 1")
def funding_clock() -> Node:
    """Say how much of the time between two usual settlements of funding (00, 08, 16 h) has passed."""
    return phase(time, 8 * _HOUR)


def _average_before(values: Node, period: int, count: int, ahead: int = 0) -> Node:
    summed = lag(values, period - ahead)
    for times in range(2, count + 1):
        summed = summed + lag(values, times * period - ahead)
    return summed / count


@template("natural logarithm of a price ratio")
def seasonal_return(period: int, count: int) -> Node:
    """Average the moves that followed this time one, two, … periods ago."""
    return _average_before(returns, period, count, ahead=1)


@template("fraction")
def seasonal_volatility(period: int, count: int) -> Node:
    """Compare the size of the move with that of the same time in the periods before."""
    return ratio(absolute_return, _average_before(absolute_return, period, count), 1.0) - 1


@template("natural logarithm")
def seasonal_volume(period: int, count: int) -> Node:
    """Compare the volume with that of the same time in the periods before."""
    return log1p(volume) - _average_before(log1p(volume), period, count)
