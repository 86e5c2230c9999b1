"""Which bars are missing, and in which requests to fetch them; pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Window", "closed_end", "missing", "parse_moment", "pieces", "split"]

_AGO = re.compile(r"(?P<amount>\d+(?:\.\d+)?)(?P<unit>[mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Open times in ``[start, end)``."""

    start: datetime
    end: datetime


def closed_end(now: datetime, timeframe: Timeframe, until: datetime | None = None) -> datetime:
    """Return the exclusive end of the bars that are closed at ``now`` (and open before ``until``)."""
    end = timeframe.last_closed(now) + timeframe.delta
    return end if until is None else min(end, until)


def missing(stored: Iterable[datetime], start: datetime, end: datetime, timeframe: Timeframe) -> list[Window]:
    """Return the runs of bars in ``[start, end)`` that are not among the ascending open times ``stored``."""
    first = timeframe.floor(start)
    cursor = first if first == start else first + timeframe.delta
    runs: list[Window] = []
    for moment in stored:
        if moment < cursor:
            continue
        if moment >= end:
            break
        if moment > cursor:
            runs.append(Window(cursor, moment))
        cursor = moment + timeframe.delta
    if cursor < end:
        runs.append(Window(cursor, timeframe.floor(end - timedelta(microseconds=1)) + timeframe.delta))
    return runs


def pieces(start: datetime, end: datetime, timeframe: Timeframe, bars: int) -> Iterator[Window]:
    """Cut ``[start, end)`` into pieces of at most ``bars`` bars, oldest first."""
    span = bars * timeframe.delta
    while start < end:
        yield Window(start, min(start + span, end))
        start += span


def split(runs: Sequence[Window], timeframe: Timeframe, limit: int) -> Iterator[Window]:
    """Cover all runs with windows of at most ``limit`` bars, each beginning at a missing bar.

    Short gaps that lie close together share a window, since a request costs the same for one bar as for many.
    """
    span = limit * timeframe.delta
    start: datetime | None = None
    end = datetime.min.replace(tzinfo=UTC)
    for run in runs:
        cursor = run.start
        while cursor < run.end:
            if start is None or cursor >= start + span:
                if start is not None:
                    yield Window(start, end)
                start = cursor
            end = cursor = min(run.end, start + span)
    if start is not None:
        yield Window(start, end)


def parse_moment(text: str, now: datetime, option: str = "") -> datetime:
    """Read ``2d``, ``12h``, ``90m`` or ``1w`` (that long before ``now``), or an ISO date or time (UTC).

    ``option`` is what an error calls the text.

    Raises
    ------
    ConfigError
        If the text is neither.
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago["unit"]]: float(ago["amount"])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        told = f"{option}: " if option else ""
        raise ConfigError(
            f"{told}expected a time such as 2d, 12h, 2024-01-01 or 2024-01-01T12:00, found {text!r}"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
