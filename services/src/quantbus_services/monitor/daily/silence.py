"""For which bars of the day a strategy should have been evaluated and was not; pure."""

from collections.abc import Iterable
from datetime import datetime

from quantbus_contracts import Strategy, Timeframe
from quantbus_services.monitor.daily.report import Silence
from quantbus_services.monitor.due import allowed_delay

__all__ = ["bars_due", "silent_bars", "together"]


def _first_bar(timeframe: Timeframe, start: datetime) -> datetime:
    """Return the open time of the first bar that closes at or after ``start``."""
    opened = timeframe.floor(start - timeframe.delta)
    return opened if timeframe.close_of(opened) >= start else opened + timeframe.delta


def bars_due(strategy: Strategy, start: datetime, end: datetime, until: datetime) -> list[datetime]:
    """Return the bars that close in ``[start, end)`` and for which an evaluation was due ``until`` then."""
    timeframe = Timeframe.parse(strategy.timeframe)
    allowed = allowed_delay(strategy.timeframe, strategy)
    bars, opened = [], _first_bar(timeframe, start)
    while (closed := timeframe.close_of(opened)) < end and closed + allowed <= until:
        bars.append(opened)
        opened += timeframe.delta
    return bars


def silent_bars(
    strategy: Strategy, bars: Iterable[datetime], runs: Iterable[datetime], declared_at: datetime | None
) -> tuple[int, list[datetime]]:
    """Return for how many of ``bars`` an evaluation was promised, and those that had none.

    A strategy with a cadence of n bars is due n bars after its last evaluation, or after the bar that was skipped.
    """
    if strategy.cadence_bars is None:
        return 0, []
    timeframe = Timeframe.parse(strategy.timeframe)
    evaluated = sorted(runs)
    done = frozenset(evaluated)
    wanted = [bar for bar in bars if declared_at is None or timeframe.close_of(bar) > declared_at]
    if not wanted:
        return 0, []
    earlier = [run for run in evaluated if run < wanted[0]]
    step = strategy.cadence_bars * timeframe.delta
    next_due = earlier[-1] + step if earlier else wanted[0] + step - timeframe.delta
    promised, silent = 0, []
    for bar in wanted:
        if bar in done:
            promised += 1
            next_due = bar + step
        elif bar >= next_due:
            promised += 1
            silent.append(bar)
            next_due = bar + step
    return promised, silent


def together(strategy: Strategy, silent: Iterable[datetime]) -> tuple[Silence, ...]:
    """Return skipped bars as stretches."""
    step = (strategy.cadence_bars or 1) * Timeframe.parse(strategy.timeframe).delta
    stretches: list[Silence] = []
    for bar in silent:
        if stretches and bar - stretches[-1].last == step:
            last = stretches.pop()
            stretches.append(Silence(first=last.first, last=bar, bars=last.bars + 1))
        else:
            stretches.append(Silence(first=bar, last=bar, bars=1))
    return tuple(stretches)
