"""The futures side: contract prices beside mark and index, and the open interest."""

from typing import Protocol

import numpy as np

from quantbus_services.paper_exchange.listings.events import MarketEvents
from quantbus_services.paper_exchange.market import BarSource, Market
from quantbus_services.paper_exchange.series import Floats, Integers

__all__ = ["PerpetualMarket", "PerpetualSource"]

_MARK_DECIMALS = 8
_REACH_MS = 2 * 86_400_000
"""How far back the newest bar before a moment may lie, so that a day's bar or a gap does no harm."""


class PerpetualSource(BarSource, Protocol):
    """Bars of perpetual swaps, and the prices that funding is made of; all have the same listings."""

    @property
    def mark(self) -> BarSource:
        """Return bars of the mark price: the index and the slow part of the basis."""
        ...

    @property
    def index(self) -> BarSource:
        """Return bars of the index price, which is the spot price."""
        ...

    @property
    def premium(self) -> BarSource:
        """Return bars of mark / index - 1."""
        ...

    def open_interest(self, name: str, moments_ms: Integers) -> Floats:
        """Return the open interest at each moment, in units of the base currency."""
        ...


class PerpetualMarket(Market):
    """A futures market as it may be seen at an instant."""

    def __init__(self, source: PerpetualSource, *, events: MarketEvents | None = None) -> None:
        """Serve the bars of ``source`` and what belongs to them."""
        super().__init__(source, events=events, kind="swap")
        self._perpetuals = source
        self.mark, self.index, self.premium = (
            Market(prices, events=events, kind="swap", price_decimals=_MARK_DECIMALS)
            for prices in (source.mark, source.index, source.premium)
        )

    def mark_price(self, name: str, now_ms: int) -> float:
        """Return the mark price now."""
        return self.mark.last_price(name, now_ms)

    def mark_prices(self, name: str, moments_ms: Integers, now_ms: int) -> Floats:
        """Return the mark price at ascending moments: the close of the newest bar that had closed by then."""
        base, first = self.source.base, int(moments_ms[0])
        bars = self.mark.bars(name, base, first - _REACH_MS, int(moments_ms[-1]), now_ms)
        if len(bars) == 0:
            return np.full(len(moments_ms), self.mark_price(name, now_ms))
        newest = np.searchsorted(bars.open_time + base.seconds * 1000, moments_ms, side="right") - 1
        prices: Floats = bars.close[np.maximum(newest, 0)]
        return prices

    def open_interest(self, name: str, moments_ms: Integers, now_ms: int) -> Floats:
        """Return the open interest at moments that are not ahead of now, in the base currency."""
        series = self.roster.entries(now_ms)[name].series
        return self._perpetuals.open_interest(series, moments_ms)
