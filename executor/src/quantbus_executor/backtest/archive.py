"""Stored signals as the bus showed them at each moment of the past: revision by revision, never one early."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from quantbus_contracts.clock import Clock
from quantbus_contracts.ports import SignalSnapshot
from quantbus_contracts.schema import PublishedSignal, PublishRun
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Archive"]


class _History:
    """One pair's signals, in the order in which a reader could come to see them."""

    def __init__(self, signals: Iterable[PublishedSignal], skew: timedelta) -> None:
        known = sorted(signals, key=lambda published: _visible_at(published, skew))
        self._visible = [_visible_at(published, skew) for published in known]
        self._newest = list(accumulate(known, _later_bar))
        self.signals = tuple(sorted(known, key=lambda published: published.signal.ts))

    def shown(self, moment: datetime) -> PublishedSignal | None:
        """Return the signal of the newest bar that a reader saw at ``moment``, in the revision that stood then."""
        seen = bisect_right(self._visible, moment)
        return self._newest[seen - 1].as_of(moment) if seen else None

    def span(self, start: datetime, end: datetime) -> list[PublishedSignal]:
        return [published for published in self.signals if start <= published.signal.ts < end]


class Archive:
    """A `SignalReader` of the past: its answers are those of the moment that ``clock`` shows.

    A reader asks for closed bars only, give or take ``skew``: so a signal is seen from its bar's close on, or from
    when it first stood on the bus where that was later.
    """

    def __init__(self, clock: Clock, skew: timedelta) -> None:
        """Know no signals yet."""
        self._clock = clock
        self._skew = skew
        self._histories: dict[str, _History] = {}

    def keep(self, pair: str, signals: Iterable[PublishedSignal]) -> None:
        """Keep a pair's signals, with their histories, instead of those that were kept before."""
        self._histories[pair] = _History(signals, self._skew)

    @property
    def pairs(self) -> list[str]:
        """The pairs whose signals are kept."""
        return sorted(self._histories)

    def shown(self, pair: str, moment: datetime) -> PublishedSignal | None:
        """Return what a reader saw of a pair at ``moment``: the newest closed bar's signal as it stood then."""
        history = self._histories.get(pair)
        return history.shown(moment) if history is not None else None

    def newest(
        self,
        strategy_id: str,
        timeframe: Timeframe,
        pairs: Sequence[str],
        *,
        until: datetime | None = None,
        since: datetime | None = None,
    ) -> SignalSnapshot:
        """Return each pair's newest signal at the moment of the clock."""
        now = self._clock.now()
        shown = {pair: published for pair in pairs if (published := self.shown(pair, now)) is not None}
        return SignalSnapshot(now=now, signals=shown)

    def get(self, signal_id: str) -> PublishedSignal | None:
        """Return one signal as it stood at the moment of the clock; None if it did not stand yet."""
        for history in self._histories.values():
            for published in history.signals:
                if published.signal_id == signal_id:
                    return published.as_of(self._clock.now())
        return None

    def range(
        self, strategy_id: str, timeframe: Timeframe, pair: str, start: datetime, end: datetime
    ) -> list[PublishedSignal]:
        """Return a pair's signals with ``ts`` in ``[start, end)`` that stood at the moment of the clock."""
        history = self._histories.get(pair)
        kept = history.span(start, end) if history is not None else []
        now = self._clock.now()
        return [shown for published in kept if (shown := published.as_of(now)) is not None]

    def runs(
        self, strategy_id: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[PublishRun]:
        """Return nothing: evaluations are not kept."""
        return []

    def last_run(self, strategy_id: str, timeframe: Timeframe) -> PublishRun | None:
        """Return nothing: evaluations are not kept."""
        return None


def _visible_at(published: PublishedSignal, skew: timedelta) -> datetime:
    return max(published.first_available_at, published.signal.closes_at - skew)


def _later_bar(newest: PublishedSignal, published: PublishedSignal) -> PublishedSignal:
    return published if published.signal.ts >= newest.signal.ts else newest
