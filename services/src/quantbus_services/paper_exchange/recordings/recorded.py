"""Recorded bars, moved in time as a whole."""

from collections.abc import Mapping
from functools import lru_cache

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.market import DataKind, Span
from quantbus_services.paper_exchange.series import Bars

__all__ = ["RecordedSource", "span_of"]


def span_of(bars: Bars, timeframe: Timeframe) -> Span:
    """Return the time from the first open to the last close."""
    return Span(int(bars.open_time[0]), int(bars.open_time[-1]) + timeframe.seconds * 1000)


class RecordedSource:
    """Serves bars as they were recorded, ``shift_ms`` later."""

    kind: DataKind = "recorded"

    def __init__(
        self,
        series: Mapping[Listing, Bars],
        *,
        base: Timeframe,
        shift_ms: int,
        origin: str,
    ) -> None:
        """Move ``series`` (bars in recorded time) by ``shift_ms``."""
        self.base = base
        self.shift_ms = shift_ms
        self.origin = origin
        self.listings = {listing.name: listing for listing in series}
        self._series = {listing.name: bars.shifted(shift_ms) for listing, bars in series.items()}
        self._coarse = lru_cache(maxsize=None)(self._aggregate)  # few names times few timeframes

    def span(self, name: str) -> Span:
        """Return the time that the bars of a market cover."""
        return span_of(self._series[name], self.base)

    def bars(self, name: str, start_ms: int, end_ms: int) -> Bars:
        """Return the finished base bars that open in ``[start_ms, end_ms)``."""
        return self._series[name].between(start_ms, end_ms)

    def buckets(self, name: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> Bars:
        """Return finished bars of a coarser timeframe."""
        return self._coarse(name, timeframe).between(start_ms, end_ms)

    def _aggregate(self, name: str, timeframe: Timeframe) -> Bars:
        return self._series[name].aggregate(timeframe.seconds * 1000)
