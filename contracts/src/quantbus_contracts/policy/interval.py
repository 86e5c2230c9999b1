"""The time in which an entry may be made: from the close of its bar until the first bound ends it."""

from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Interval", "entry_interval", "first_bar_to_enter", "is_future_stamped", "tolerance_end"]

_DEFAULT_MAX_DELAY_BARS = 3


@dataclass(frozen=True, slots=True)
class Interval:
    """``[start, end)`` in UTC, and the bound that ends it. Where ``end <= start`` no moment is inside."""

    start: datetime
    end: datetime
    ended_by: Reason

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def entry_interval(published: PublishedSignal, rules: TradingRules) -> Interval:
    """Return when an entry (or increase) asked for by this revision may be made.

    It starts once the bar is closed and the revision stands on the bus, and is ended by the earliest of
    ``valid_until``, the backward tolerance ``ts + (2 + tolerance_bars) * tf`` and the configured ages.
    """
    timeframe = Timeframe.parse(published.signal.timeframe)
    ts = published.signal.ts
    close = timeframe.close_of(ts)
    delay = rules.max_delay if rules.max_delay is not None else _DEFAULT_MAX_DELAY_BARS * timeframe.delta
    bounds = [
        (published.valid_until, Reason.EXPIRED),
        (tolerance_end(ts, timeframe.name, rules), Reason.STALE),
        (close + delay, Reason.MAX_DELAY),
    ]
    if rules.max_age_from_available is not None:
        bounds.append((published.available_at + rules.max_age_from_available, Reason.MAX_AGE))
    end, ended_by = min(bounds, key=lambda bound: bound[0])
    return Interval(start=max(close, published.available_at), end=end, ended_by=ended_by)


def tolerance_end(ts: datetime, timeframe: str, rules: TradingRules) -> datetime:
    """Return from when on a signal of bar ``ts`` is too late to enter upon, whatever else it says."""
    return ts + (2 + rules.tolerance_bars) * Timeframe.parse(timeframe).delta


def is_future_stamped(published: PublishedSignal, rules: TradingRules) -> bool:
    """Tell whether the revision stood on the bus before its bar closed, by more than clocks may differ."""
    return published.available_at < published.signal.closes_at - rules.clock_skew


def first_bar_to_enter(
    published: PublishedSignal, rules: TradingRules, timeframe: Timeframe
) -> datetime | None:
    """Return the open time of the first bar of ``timeframe`` (the trader's own) at whose open to enter; None if none.

    That is how a backtest enters: at the first open at or after the interval's start, whether the signal's own bars
    are as long as the trader's or longer. A live bot may enter within the bar before.
    """
    interval = entry_interval(published, rules)
    floor = timeframe.floor(interval.start)
    opens_at = floor if floor == interval.start else floor + timeframe.delta
    return opens_at if opens_at in interval else None
