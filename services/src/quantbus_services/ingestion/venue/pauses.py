"""What an answer asks of us: how long to leave the venue alone; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

__all__ = ["Pause", "asked_pause", "date_of", "retry_after_of"]

_BANNED_UNTIL = re.compile(r"banned until (?P<milliseconds>\d{13})")
_SHORTEST_BAN_SECONDS = 120.0  # what Binance begins with
_FIREWALL_SECONDS = 10.0  # a page of 403 names no time; the limits behind it are counted in minutes


@dataclass(frozen=True, slots=True)
class Pause:
    """To leave the venue alone for a time; ``seconds`` is None where it named none."""

    kind: str
    seconds: float | None


def asked_pause(status: int, headers: Mapping[str, str], text: str, *, is_limit: bool) -> Pause | None:
    """Return what a refused request asks for; ``is_limit`` if it is known to be about limits otherwise."""
    named = retry_after_of(headers)
    if status == 418:
        return Pause("banned", named or _until(headers, text) or _SHORTEST_BAN_SECONDS)
    if status == 429 or is_limit:
        return Pause("rate_limited", named)
    if status == 403:
        return Pause("unavailable", named or _FIREWALL_SECONDS)
    if status == 503 and named is not None:
        return Pause("unavailable", named)
    return None


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return ``Retry-After`` in seconds, whether it names seconds or a date; None if it names neither."""
    value = _header(headers, "retry-after")
    if value.isdigit():
        return float(value)
    moment, answered = _moment(value), date_of(headers)
    if moment is None or answered is None:
        return None
    return max(0.0, (moment - answered).total_seconds())


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return when the venue answered by its own clock, to the second below."""
    return _moment(_header(headers, "date"))


def _until(headers: Mapping[str, str], text: str) -> float | None:
    found, answered = _BANNED_UNTIL.search(text), date_of(headers)
    if found is None or answered is None:
        return None
    end = datetime.fromtimestamp(0, answered.tzinfo) + timedelta(milliseconds=int(found["milliseconds"]))
    return max(0.0, (end - answered).total_seconds())


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((str(value).strip() for name, value in headers.items() if str(name).lower() == wanted), "")
