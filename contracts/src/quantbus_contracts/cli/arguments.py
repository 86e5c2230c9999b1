"""What people type for times, durations and pairs, and the options that several commands share."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from quantbus_contracts.errors import ConfigError

__all__ = ["Json", "StrategyId", "moment_of", "parse_duration", "parse_moment"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, for scripts.")]
StrategyId = Annotated[str | None, typer.Option("--strategy-id", "--strategy", help="Of this strategy only.")]

_PART = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LONGEST_SECONDS = 3_660 * 86_400


def parse_duration(text: str, option: str) -> timedelta:
    """Read ``90s``, ``2h``, ``1h30m`` or ``7d``.

    Raises
    ------
    ConfigError
        If the text has another form, is zero, or is longer than ten years.
    """
    parts = _PART.findall(text)
    if parts and "".join(count + unit for count, unit in parts) == text:
        total = sum(int(count) * _SECONDS[unit] for count, unit in parts)
        if 0 < total <= _LONGEST_SECONDS:
            return timedelta(seconds=total)
    raise ConfigError(f"{option}: expected a duration such as 90s, 2h, 1h30m or 7d, found {text!r}")


def parse_moment(text: str, option: str) -> datetime | timedelta:
    """Read a time (ISO 8601; UTC where it names no zone) or a duration, which means so long ago.

    Raises
    ------
    ConfigError
        If the text is neither.
    """
    if _PART.match(text) and not text[:4].isdigit():
        return parse_duration(text, option)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option}: expected a time such as 2026-01-05T12:00Z (UTC) or a duration such as 2h, found {text!r}"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def moment_of(text: str | None, option: str, now: datetime) -> datetime | None:
    """Return the time that ``text`` means at ``now``; None if nothing was given."""
    if text is None:
        return None
    found = parse_moment(text, option)
    return now - found if isinstance(found, timedelta) else found
