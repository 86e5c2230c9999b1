"""The exchange as one object: its clock, its spot and futures markets, and what may be done to them."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.hub import StreamHub
from quantbus_services.paper_exchange.kline_feed import kline_feed
from quantbus_services.paper_exchange.listings.events import MarketEvent, MarketEvents
from quantbus_services.paper_exchange.listings.listings import KINDS, Kind, parse_pair
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.series import Bars
from quantbus_services.paper_exchange.time_line import VenueClock

__all__ = ["Lens", "Venue"]

Lens = Callable[[Kind, str, Timeframe, Bars, int], Bars]
"""Shows clients bars other than the true ones; gets market kind, name, timeframe, true bars and now in ms."""


@runtime_checkable
class _Growing(Protocol):
    """A source that can make up bars of any pair."""

    def admit(self, base: str, quote: str) -> None:
        """Serve one more pair."""
        ...


def _plain(kind: Kind, name: str, timeframe: Timeframe, bars: Bars, now_ms: int) -> Bars:
    return bars


class Venue:
    """One paper exchange; everything it tells is a function of its clock, its markets and its events."""

    def __init__(
        self, clock: VenueClock, *, spot: Market, futures: PerpetualMarket, events: MarketEvents
    ) -> None:
        """Put the parts together; ``events`` are those that the markets read."""
        self.clock = clock
        self.spot = spot
        self.futures = futures
        self.events = events
        self.lens: Lens = _plain
        self.hub = StreamHub(kline_feed(self))

    def now_ms(self) -> int:
        """Return the exchange's present in Unix milliseconds."""
        return self.clock.now_ms()

    def market(self, kind: Kind) -> Market:
        """Return the spot or the futures side."""
        return self.futures if kind == "swap" else self.spot

    def shown(self, kind: Kind, name: str, timeframe: Timeframe, bars: Bars, now_ms: int) -> Bars:
        """Return what clients get to see in place of true ``bars``."""
        return self.lens(kind, name, timeframe, bars, now_ms)

    def add_event(self, event: MarketEvent) -> None:
        """Let something happen to the market list.

        Raises
        ------
        ConfigError
            If it does not fit the list at its time, or there are no bars for a new pair.
        """
        for market in self._touched(event):
            market.roster.check(event)
        if event.kind == "list":
            self.admit(event)
        self.events.add(event)

    def admit(self, event: MarketEvent) -> None:
        """See to it that there are bars for the pair of a listing.

        Raises
        ------
        ConfigError
            If the source is a recording without that pair.
        """
        base, quote = parse_pair(event.pair)
        for market in self._touched(event):
            if base + quote in market.source.listings:
                continue
            if not isinstance(market.source, _Growing):
                raise ConfigError(
                    f"expected recorded bars of {event.pair}, found those of "
                    f"{', '.join(market.source.listings) or 'no market'}; name it among the symbols"
                )
            market.source.admit(base, quote)

    def _touched(self, event: MarketEvent) -> list[Market]:
        """Return the markets an event is about; one about both may be about a pair that only one of them has."""
        if event.market is not None:
            return [self.market(event.market)]
        markets = [self.market(kind) for kind in KINDS]
        if event.kind == "list":
            return [market for market in markets if market.source.listings]  # none: that side is switched off
        name = "".join(parse_pair(event.pair))
        return [market for market in markets if name in market.listed(event.at_ms)] or markets[:1]
