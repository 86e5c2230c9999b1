"""Kline events: each bar's last word when it closes, and the bar in progress whenever it has changed."""

from collections.abc import Sequence
from typing import Any, Protocol

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.hub import Feed, Stream
from quantbus_services.paper_exchange.listings.listings import Kind
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.series import Bar, Bars, floor_to

__all__ = ["kline_feed"]


class _Venue(Protocol):
    """What a feed needs of the exchange."""

    def now_ms(self) -> int: ...

    def market(self, kind: Kind) -> Market: ...

    def shown(self, kind: Kind, name: str, timeframe: Timeframe, bars: Bars, now_ms: int) -> Bars: ...


def kline_feed(venue: _Venue) -> Feed:
    """Return a feed whose mark is the open time of the first bar that has not been told as closed.

    Every bar that closes is told once as closed, however long the last reading is ago.
    """

    def read(stream: Stream, mark: int | None) -> tuple[Sequence[dict[str, Any]], int | None]:
        now_ms, market = venue.now_ms(), venue.market(stream.kind)
        timeframe = market.timeframes[stream.interval]
        if stream.name not in market.roster.entries(now_ms):
            return [], None
        step = timeframe.seconds * 1000
        current = floor_to(step, now_ms)
        true = market.bars(stream.name, timeframe, current if mark is None else mark, now_ms + 1, now_ms)
        events = [
            _event(stream, step, bar, now_ms, closed=bar.open_time < current)
            for row in range(len(true))
            for bar in _seen(venue, stream, timeframe, true.rows(row, row + 1), now_ms)
        ]
        return events, current

    return read


def _seen(venue: _Venue, stream: Stream, timeframe: Timeframe, true: Bars, now_ms: int) -> list[Bar]:
    shown = venue.shown(stream.kind, stream.name, timeframe, true, now_ms)
    return [shown.bar(row) for row in range(len(shown))]


def _event(stream: Stream, step: int, bar: Bar, now_ms: int, *, closed: bool) -> dict[str, Any]:
    prices = {
        "o": bar.open,
        "c": bar.close,
        "h": bar.high,
        "l": bar.low,
        "v": bar.volume,
        "q": bar.quote_volume,
    }
    return {
        "e": "kline",
        "E": now_ms,
        "s": stream.name,
        "k": {
            "t": bar.open_time,
            "T": bar.open_time + step - 1,
            "s": stream.name,
            "i": stream.interval,
            "f": -1,
            "L": -1,
            **{key: f"{value:.8f}" for key, value in prices.items()},
            "n": 0,
            "x": closed,
            "V": "0",
            "Q": "0",
            "B": "0",
        },
    }
