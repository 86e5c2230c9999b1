"""Times, spans and numbers as people read them."""

from datetime import datetime, timedelta

__all__ = ["ago", "amount", "clock", "count", "elapsed", "moment", "percent", "span"]

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
NONE = "–"
_TINY = 1e-4
"""Below that the short form has an exponent, which nobody reads as a price."""


def moment(at: datetime | None) -> str:
    """Return a time to the second, in UTC."""
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def clock(at: datetime | None) -> str:
    """Return the time of day with milliseconds."""
    return NONE if at is None else f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def elapsed(seconds: float) -> str:
    """Return a length of time in its two greatest units."""
    whole = round(seconds)
    units = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))
    first = next((index for index, (size, _) in enumerate(units) if whole >= size), len(units) - 1)
    told: list[str] = []
    for size, unit in units[first : first + 2]:
        number, whole = divmod(whole, size)
        if number or not told:
            told.append(f"{number} {unit}")
    return " ".join(told)


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, or how far it is ahead."""
    if at is None:
        return NONE
    seconds = round((now - at).total_seconds())
    if seconds == 0:
        return "just now"
    return f"{elapsed(seconds)} ago" if seconds >= 0 else f"in {elapsed(-seconds)}"


def span(length: timedelta | float | None) -> str:
    """Return a delay: milliseconds while it is short."""
    if length is None:
        return NONE
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if abs(seconds) < 1:
        return f"{seconds * 1_000:.0f} ms"
    if abs(seconds) < _MINUTE:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    return ("-" if seconds < 0 else "") + elapsed(abs(seconds))


def amount(value: float | None) -> str:
    """Return a price or an amount with the digits that matter."""
    if value is None:
        return NONE
    return f"{value:,.8g}" if not 0 < abs(value) < _TINY else f"{value:.12f}".rstrip("0")


def percent(value: float | None) -> str:
    """Return a signed fraction as a percentage."""
    return NONE if value is None else f"{value:+.3%}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
