"""How far recorded bars are moved so that the newest closed one is now; pure arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.market import Span
from quantbus_services.paper_exchange.series import floor_to

__all__ = ["ReplayPlan", "default_history", "plan_replay"]

_DAY_MS = 86_400_000
_LEAST_BARS = 1_000
_LEAST_HISTORY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """Every recorded time appears ``shift_ms`` later; whole days if ``keeps_time_of_day``."""

    shift_ms: int
    keeps_time_of_day: bool


def default_history(bar_ms: int) -> timedelta:
    """Return two days, or a thousand bars where that is more."""
    return max(_LEAST_HISTORY, timedelta(milliseconds=_LEAST_BARS * bar_ms))


def plan_replay(spans: Mapping[str, Span], *, now_ms: int, bar_ms: int, history: timedelta) -> ReplayPlan:
    """Choose one shift for all markets: at least ``history`` of each lies behind now, the rest ahead.

    One shift for all keeps the markets in step with each other. It is a whole number of days, so that the
    time of day survives, unless the recording is too short for that; then it is a whole number of bars.

    Raises
    ------
    ConfigError
        If the markets do not overlap long enough.
    """
    start = max(span.start_ms for span in spans.values())
    end = min(span.end_ms for span in spans.values() if span.end_ms is not None)
    history_ms = -(-int(history.total_seconds() * 1000) // bar_ms) * bar_ms
    if end - start <= history_ms:
        raise ConfigError(_too_short(spans, start, end, history))
    furthest = now_ms - (start + history_ms)
    by_days = floor_to(_DAY_MS, furthest)
    if now_ms - by_days < end:
        return ReplayPlan(by_days, keeps_time_of_day=True)
    return ReplayPlan(floor_to(bar_ms, furthest), keeps_time_of_day=False)


def _too_short(spans: Mapping[str, Span], start: int, end: int, history: timedelta) -> str:
    lines = [f"  {name}: {_date(span.start_ms)} .. {_date(span.end_ms or 0)}" for name, span in spans.items()]
    common = f"they share {_date(start)} .. {_date(end)}" if end > start else "they share no time at all"
    return (
        f"expected recorded bars for {history} of history and some more to replay, found\n"
        + "\n".join(lines)
        + f"\n  {common}; ask for less with --history, or replay fewer symbols at once"
    )


def _date(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M")
