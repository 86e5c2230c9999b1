"""The market as it may be seen at an instant: the one place that keeps the future out.

A `BarSource` holds finished bars, those of the future included, on the time line that clients see. `Market`
cuts them at ``now``: closed bars whole, the bar in progress as far as it has come, nothing behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.paper_exchange.listings.events import MarketEvents
from quantbus_services.paper_exchange.listings.listings import Kind, Listing
from quantbus_services.paper_exchange.listings.roster import Entry, Roster
from quantbus_services.paper_exchange.prices.book import Book, book_around
from quantbus_services.paper_exchange.prices.intrabar import seen_at
from quantbus_services.paper_exchange.prices.tape import Trade, trades_of
from quantbus_services.paper_exchange.series import Bar, Bars, ceil_to, floor_to

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
    """What clients of the exchange may know at ``now_ms``; methods take names that are listed then."""

    def __init__(
        self,
        source: BarSource,
        *,
        events: MarketEvents | None = None,
        kind: Kind = "spot",
        price_decimals: int | None = None,
    ) -> None:
        """Serve the bars of ``source``; ``price_decimals`` is for prices that have no steps, such as a mark."""
        self._source = source
        self._step = source.base.seconds * 1000
        self._decimals = price_decimals
        self.kind: Kind = kind
        self.data: DataKind = source.kind
        self.roster = Roster(
            source.listings, MarketEvents() if events is None else events, kind=kind, step_ms=self._step
        )
        self.timeframes: Mapping[str, Timeframe] = {
            name: timeframe
            for name in SUPPORTED_TIMEFRAMES
            if (timeframe := Timeframe.parse(name)).seconds % source.base.seconds == 0
        }

    @property
    def source(self) -> BarSource:
        """Return where the bars come from."""
        return self._source

    def listed(self, now_ms: int) -> Mapping[str, Listing]:
        """Return the markets that are listed now, by their exchange names."""
        return {name: entry.listing for name, entry in self.roster.entries(now_ms).items()}

    def status(self, name: str, now_ms: int) -> Literal["TRADING", "BREAK"]:
        """Return whether a market trades; it halts when it is delisted or its data has run out."""
        return "BREAK" if self.is_over(name, now_ms) else "TRADING"

    def first_open(self, name: str, timeframe: Timeframe, now_ms: int) -> int:
        """Return the open time of the first bar: the first whole one, or the one in which trading began."""
        entry, step = self._entry(name, now_ms), timeframe.seconds * 1000
        start = self._source.span(entry.series).start_ms
        if entry.opened_ms is not None and entry.opened_ms > start:
            return floor_to(step, entry.opened_ms)
        return ceil_to(step, start)

    def ends_at(self, name: str, now_ms: int) -> int | None:
        """Return when the bars of a market end, as far as is known now; None for never."""
        entry = self._entry(name, now_ms)
        ends = (self._source.span(entry.series).end_ms, entry.halted_ms)
        return min((end for end in ends if end is not None), default=None)

    def turns(self, after_ms: int, until_ms: int) -> set[int]:
        """Return when in ``(after_ms, until_ms]`` the market list changes, or bars run out."""
        ends = (self._source.span(name).end_ms for name in self._source.listings)
        moments = {*self.roster.changes(), *(end for end in ends if end is not None)}
        return {moment for moment in moments if after_ms < moment <= until_ms}

    def is_over(self, name: str, now_ms: int) -> bool:
        """Tell whether a market is halted: delisted, or its bars have run out."""
        end = self.ends_at(name, now_ms)
        return end is not None and now_ms >= end

    def forming(self, name: str, now_ms: int) -> Bar | None:
        """Return the base bar in progress as far as it has come; None in a gap and after the end."""
        opened = floor_to(self._step, now_ms)
        found = self._base_bars(self._entry(name, now_ms), opened, opened + 1)
        if len(found) == 0:
            return None
        return seen_at(found.bar(0), (now_ms - opened) / self._step, self._listing(name, now_ms))

    def bars(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int, now_ms: int) -> Bars:
        """Return the bars that open in ``[start_ms, end_ms)``; the last may be in progress.

        A coarser bar is served once whole: bars of the incomplete first bucket are left out, and so is the
        last one if the data ran out inside it. A listing or a halt inside a bucket does not make it incomplete.
        """
        step = timeframe.seconds * 1000
        entry = self._entry(name, now_ms)
        start = max(ceil_to(step, start_ms), self.first_open(name, timeframe, now_ms))
        current = floor_to(step, now_ms)
        over = self._source.span(entry.series).end_ms
        whole = current if over is None else min(current, floor_to(step, over))
        closed = self._finished(entry, timeframe, start, min(whole, ceil_to(step, end_ms)))
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
        """Return the newest base bar that is closed, however long ago; in a new market one before it began."""
        entry = self._entry(name, now_ms)
        span = self._source.span(entry.series)
        end = floor_to(self._step, now_ms)
        if (over := self.ends_at(name, now_ms)) is not None:
            end = min(end, over)
        reach = self._step
        while True:
            found = self._stepped(
                self._source.bars(entry.series, max(span.start_ms, end - reach), end), entry
            )
            if len(found) or end - reach < span.start_ms:
                return found.bar(len(found) - 1)
            reach *= 8

    def typical_volume(self, name: str, now_ms: int) -> float:
        """Return the mean volume of the base bars of the last hour (of the last one, if there is none)."""
        end = floor_to(self._step, now_ms)
        recent = self._base_bars(self._entry(name, now_ms), end - max(_HOUR_MS, self._step), end)
        return float(recent.volume.mean()) if len(recent) else self.last_closed(name, now_ms).volume

    def book(self, name: str, levels: int, now_ms: int) -> Book:
        """Return the order book; empty once the market is halted, since any price would be invented."""
        if self.is_over(name, now_ms):
            return Book([], [])
        return book_around(
            self.last_price(name, now_ms),
            self._listing(name, now_ms),
            levels=levels,
            typical_volume=self.typical_volume(name, now_ms),
            variant=now_ms // 1000,
        )

    def trades(self, name: str, start_ms: int, end_ms: int, now_ms: int) -> list[Trade]:
        """Return the trades in ``[start_ms, end_ms]`` that have happened by now, oldest first."""
        entry, until = self._entry(name, now_ms), min(end_ms, now_ms)
        bars = self._base_bars(entry, floor_to(self._step, start_ms), until + 1)
        return [
            trade
            for bar in map(bars.bar, range(len(bars)))
            for trade in trades_of(bar, self._step, entry.listing_at(bar.open_time))
            if start_ms <= trade.time_ms <= until
        ]

    def _entry(self, name: str, now_ms: int) -> Entry:
        return self.roster.entries(now_ms)[name]

    def _listing(self, name: str, now_ms: int) -> Listing:
        listing = self._entry(name, now_ms).listing
        return listing if self._decimals is None else replace(listing, price_decimals=self._decimals)

    def _base_bars(self, entry: Entry, start_ms: int, end_ms: int) -> Bars:
        """Return finished base bars as the events have left them: cut, and on the price steps of their time."""
        start = start_ms if entry.opened_ms is None else max(start_ms, entry.opened_ms)
        end = end_ms if entry.halted_ms is None else min(end_ms, entry.halted_ms)
        bars = self._source.bars(entry.series, start, max(start, end))
        return self._stepped(bars, entry)

    def _stepped(self, bars: Bars, entry: Entry) -> Bars:
        return bars if self._decimals is not None else _with_ticks(bars, entry)

    def _finished(self, entry: Entry, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        if end_ms <= start_ms:
            return Bars.empty()
        if timeframe == self._source.base:
            return self._base_bars(entry, start_ms, end_ms)
        if entry.is_plain:
            return self._source.buckets(entry.series, timeframe, start_ms, end_ms)
        return self._base_bars(entry, start_ms, end_ms).aggregate(timeframe.seconds * 1000)

    def _in_progress(self, name: str, step: int, opened_ms: int, now_ms: int) -> Bar | None:
        """Return the bar of ``step`` in progress: its closed base bars and the one that is not."""
        closed = self._base_bars(self._entry(name, now_ms), opened_ms, floor_to(self._step, now_ms))
        so_far = closed.with_bar(self.forming(name, now_ms)).aggregate(step)
        return so_far.bar(0) if len(so_far) else None


def _with_ticks(bars: Bars, entry: Entry) -> Bars:
    """Put the prices of every bar on the steps that hold since an event before it."""
    for since, decimals in entry.ticks[1:]:
        first = int(np.searchsorted(bars.open_time, since))
        bars = Bars.join([bars.rows(0, first), bars.rows(first, len(bars)).rounded(decimals)])
    return bars
