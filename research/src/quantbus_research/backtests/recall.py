"""One pair's signals as a reader saw them: revision by revision, none before its bar was closed or it was there."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from quantbus_contracts.schema import PublishedSignal, Signal
from quantbus_contracts.timeframe import Timeframe

__all__ = ["SeenSignals", "as_if_published"]

_VALID_BARS = 4
"""What the bus gives a signal that names no end."""


class SeenSignals:
    """The signals of one pair, by the moment at which each could first be seen."""

    def __init__(self, signals: Iterable[PublishedSignal], skew: timedelta) -> None:
        """Take the signals with their histories; ``skew`` is `TradingRules.clock_skew`."""
        known = sorted(signals, key=lambda published: published.signal.ts)
        known.sort(key=lambda published: max(published.first_available_at, published.signal.closes_at - skew))
        self._from = [max(p.first_available_at, p.signal.closes_at - skew) for p in known]
        self._newest: list[PublishedSignal] = []
        for published in known:
            newest = self._newest[-1] if self._newest else published
            self._newest.append(published if published.signal.ts >= newest.signal.ts else newest)
        self._changes = sorted({*self._from, *_revised(known)})

    def shown(self, moment: datetime) -> PublishedSignal | None:
        """Return the newest bar's signal in the revision that stood at ``moment``."""
        seen = bisect_right(self._from, moment)
        return self._newest[seen - 1].as_of(moment) if seen else None

    def next_change(self, moment: datetime) -> datetime | None:
        """Return when, after ``moment``, another signal or revision may be shown; None if never."""
        place = bisect_right(self._changes, moment)
        return self._changes[place] if place < len(self._changes) else None


def as_if_published(signals: Iterable[Signal], *, delay: timedelta = timedelta(0)) -> list[PublishedSignal]:
    """Return signals as they would stand on the bus, had each been published ``delay`` after its bar's close."""
    return [
        PublishedSignal(
            signal=signal,
            version=1,
            available_at=signal.closes_at + delay,
            valid_until=signal.valid_until
            or signal.ts + _VALID_BARS * Timeframe.parse(signal.timeframe).delta,
            published_by="backtest",
        )
        for signal in signals
    ]


def _revised(signals: Iterable[PublishedSignal]) -> Iterator[datetime]:
    for published in signals:
        yield published.available_at
        yield from (revision.available_at for revision in published.history)
