"""The market as it may be seen at an instant: the one place that keeps the future out.

A `BarSource` holds finished bars, those of the future included, on the time line that clients see. `Market`
cuts them at ``now``: closed bars whole, the bar in progress as far as it has come, nothing behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.paper_exchange.book import Book, book_around
from quantbus_services.paper_exchange.intrabar import seen_at
from quantbus_services.paper_exchange.listings import Listing
from quantbus_services.paper_exchange.series import Bar, Bars, ceil_to, floor_to
from quantbus_services.paper_exchange.tape import Trade, trades_of

__all__ = ["BarSource", "DataKind", "Market", "Span"]

DataKind = Literal["SYNTHETIC", "recorded"]
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Span:
    """From the open of a market's first bar to the close of its last; no end if it never runs out."""

    start_ms: int
    end_ms: int | None


class BarSource(Protocol):
    """Where bars come from: files, the bus, a generator."""

    @property
    def kind(self) -> DataKind:
        """Say whether the bars are recorded or made up."""
        ...

    @property
    def origin(self) -> str:
        """Describe the source in a few words, for people."""
        ...

    @property
    def shift_ms(self) -> int:
        """Return how far the bars were moved in time; 0 for none."""
        ...

    @property
    def base(self) -> Timeframe:
        """Return the timeframe of the bars; coarser ones are built from them."""
        ...

    @property
    def listings(self) -> Mapping[str, Listing]:
        """Return the markets by their exchange name, ``BTCUSDT``."""
        ...

    def span(self, name: str) -> Span:
        """Return the time that the bars of a market cover."""
        ...

    def bars(self, name: str, start_ms: int, end_ms: int) -> Bars:
        """Return the finished base bars that open in ``[start_ms, end_ms)``."""
        ...

    def buckets(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        """Return finished bars of a coarser timeframe; both bounds are open times of such bars."""
        ...


class Market:
    """What clients of the exchange may know at ``now_ms``."""

    def __init__(self, source: BarSource) -> None:
        """Serve the bars of ``source``."""
        self._source = source
        self._step = source.base.seconds * 1000
        self.kind: DataKind = source.kind
        self.listings: Mapping[str, Listing] = source.listings
        self.timeframes: Mapping[str, Timeframe] = {
            name: timeframe
            for name in SUPPORTED_TIMEFRAMES
            if (timeframe := Timeframe.parse(name)).seconds % source.base.seconds == 0
        }

    @property
    def source(self) -> BarSource:
        """Return where the bars come from."""
        return self._source

    def first_open(self, name: str, timeframe: Timeframe) -> int:
        """Return the open time of the first bar that is whole."""
        return ceil_to(timeframe.seconds * 1000, self._source.span(name).start_ms)

    def is_over(self, name: str, now_ms: int) -> bool:
        """Tell whether the bars of a market have run out."""
        end = self._source.span(name).end_ms
        return end is not None and now_ms >= end

    def forming(self, name: str, now_ms: int) -> Bar | None:
        """Return the base bar in progress as far as it has come; None in a gap and after the end."""
        opened = floor_to(self._step, now_ms)
        found = self._source.bars(name, opened, opened + 1)
        if len(found) == 0:
            return None
        return seen_at(found.bar(0), (now_ms - opened) / self._step, self.listings[name])

    def bars(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int, now_ms: int) -> Bars:
        """Return the bars that open in ``[start_ms, end_ms)``; the last may be in progress.

        A coarser bar is served once whole: bars of the incomplete first bucket are left out, and so is the
        last one if the data ran out inside it.
        """
        step = timeframe.seconds * 1000
        start = max(ceil_to(step, start_ms), self.first_open(name, timeframe))
        current = floor_to(step, now_ms)
        over = self._source.span(name).end_ms
        whole = current if over is None else min(current, floor_to(step, over))
        closed = self._finished(name, timeframe, start, min(whole, ceil_to(step, end_ms)))
        if start <= current < end_ms:
            return closed.with_bar(self._in_progress(name, step, current, now_ms))
        return closed

    def last_price(self, name: str, now_ms: int) -> float:
        """Return the newest price."""
        forming = self.forming(name, now_ms)
        if forming is not None:
            return forming.close
        return self.last_closed(name, now_ms).close

    def last_closed(self, name: str, now_ms: int) -> Bar:
        """Return the newest base bar that is closed, however long ago."""
        span = self._source.span(name)
        end = floor_to(self._step, now_ms)
        if span.end_ms is not None:
            end = min(end, span.end_ms)
        reach = self._step
        while True:
            found = self._source.bars(name, max(span.start_ms, end - reach), end)
            if len(found) or end - reach < span.start_ms:
                return found.bar(len(found) - 1)
            reach *= 8

    def typical_volume(self, name: str, now_ms: int) -> float:
        """Return the mean volume of the base bars of the last hour (of the last one, if there is none)."""
        end = floor_to(self._step, now_ms)
        recent = self._source.bars(name, end - max(_HOUR_MS, self._step), end)
        return float(recent.volume.mean()) if len(recent) else self.last_closed(name, now_ms).volume

    def book(self, name: str, levels: int, now_ms: int) -> Book:
        """Return the order book; empty once the data has run out, since any price would be invented."""
        if self.is_over(name, now_ms):
            return Book([], [])
        return book_around(
            self.last_price(name, now_ms),
            self.listings[name],
            levels=levels,
            typical_volume=self.typical_volume(name, now_ms),
            variant=now_ms // 1000,
        )

    def trades(self, name: str, start_ms: int, end_ms: int, now_ms: int) -> list[Trade]:
        """Return the trades in ``[start_ms, end_ms]`` that have happened by now, oldest first."""
        until = min(end_ms, now_ms)
        bars = self._source.bars(name, floor_to(self._step, start_ms), until + 1)
        return [
            trade
            for index in range(len(bars))
            for trade in trades_of(bars.bar(index), self._step, self.listings[name])
            if start_ms <= trade.time_ms <= until
        ]

    def _finished(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        if end_ms <= start_ms:
            return Bars.empty()
        if timeframe == self._source.base:
            return self._source.bars(name, start_ms, end_ms)
        return self._source.buckets(name, timeframe, start_ms, end_ms)

    def _in_progress(self, name: str, step: int, opened_ms: int, now_ms: int) -> Bar | None:
        """Return the bar of ``step`` in progress: its closed base bars and the one that is not."""
        closed = self._source.bars(name, opened_ms, floor_to(self._step, now_ms))
        so_far = closed.with_bar(self.forming(name, now_ms)).aggregate(step)
        return so_far.bar(0) if len(so_far) else None
