"""When the next bar, evaluation or signal should have been there; pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from quantbus_contracts import Instrument, PublishedSignal, Strategy, Timeframe

__all__ = [
    "AT_NO_TIME",
    "CATCHING_UP",
    "NEVER",
    "Stream",
    "allowed_delay",
    "candle_due_at",
    "publish_delay",
    "run_due_at",
    "streams_of",
]

NEVER = datetime.fromtimestamp(0, UTC)
"""The time of what has not happened; as a Prometheus timestamp it is 0."""

CATCHING_UP = timedelta(minutes=2)
"""What somebody has just begun to need may be behind for so long, such as bars that nobody needed for weeks."""

AT_NO_TIME = datetime.max.replace(tzinfo=UTC)
"""When something is due that nobody promised."""

Stream = tuple[str, Timeframe]
"""Bars that somebody needs: bus symbol and timeframe."""


def streams_of(strategies: Iterable[Strategy], declared_at: Mapping[str, datetime]) -> dict[Stream, datetime]:
    """Return the streams of bars that declared strategies are computed from, and since when each is needed."""
    needed: dict[Stream, datetime] = {}
    for strategy in strategies:
        if strategy.cadence_bars is None:  # nobody promised that it goes on
            continue
        since = declared_at.get(strategy.strategy_id, NEVER)
        for pair in strategy.pairs:
            symbol = Instrument.from_pair(strategy.venue, pair).symbol
            stream = symbol, Timeframe.parse(strategy.timeframe)
            needed[stream] = min(since, needed.get(stream, since))
    return dict(sorted(needed.items()))


def candle_due_at(
    timeframe: Timeframe, last_open: datetime | None, grace: timedelta, *, needed_since: datetime
) -> datetime:
    """Return when the bar after ``last_open`` should stand on the bus at the latest.

    It opens one bar later, closes two bars later, and may take ``grace`` to arrive. Where there is no bar
    yet, as long is given from the moment somebody needs it; where there are only old ones, some minutes to catch up.
    """
    due_at = (last_open or needed_since) + 2 * timeframe.delta + grace
    return needed_since + CATCHING_UP + grace if due_at < needed_since else due_at


def allowed_delay(timeframe: str, strategy: Strategy | None) -> timedelta:
    """Return how long after bar close a signal or evaluation may come: as declared, else half a bar."""
    if strategy is not None and strategy.max_delay_seconds is not None:
        return timedelta(seconds=strategy.max_delay_seconds)
    return Timeframe.parse(timeframe).delta / 2


def run_due_at(strategy: Strategy, last_run: datetime | None, *, declared_at: datetime) -> datetime:
    """Return when the evaluation after the one for bar ``last_run`` should be on the bus at the latest.

    A strategy that was never evaluated is given as long from its declaration, one that was declared anew a bar; one
    without a cadence has all time.
    """
    if strategy.cadence_bars is None:
        return AT_NO_TIME
    bar = Timeframe.parse(strategy.timeframe).delta
    after = bar + allowed_delay(strategy.timeframe, strategy)
    due_at = (last_run or declared_at) + strategy.cadence_bars * bar + after
    return declared_at + after if due_at < declared_at else due_at


def publish_delay(signal: PublishedSignal) -> timedelta:
    """Return how long after its bar's close a signal first stood on the bus."""
    return signal.first_available_at - signal.signal.closes_at
