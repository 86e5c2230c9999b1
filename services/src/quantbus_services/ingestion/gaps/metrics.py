"""What gaps and second sources tell Prometheus."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from quantbus_contracts.schema import Disagreement, DisagreementKind, Gap
from quantbus_services.ingestion.series import Series

__all__ = ["GapMetrics"]


class GapMetrics:
    """Missing bars, and contradictions between sources."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._missing = Gauge(
            "quantbus_candle_gap_bars",
            "Bars missing between stored ones that the venue has not been shown to lack.",
            ["symbol", "timeframe"],
            registry=registry,
        )
        self._fallback = Counter(
            "quantbus_candle_fallback_bars",
            "Bars taken from a second source.",
            ["symbol", "timeframe"],
            registry=registry,
        )
        self._disagreements = Counter(
            "quantbus_source_disagreements",
            "Bars of which two sources said different things, by what differs.",
            ["kind"],
            registry=registry,
        )

        for kind in DisagreementKind:  # an increase is seen only from a number that was there before
            self._disagreements.labels(kind.value)

    def standing(self, series: Series, gaps: Sequence[Gap]) -> None:
        """Note what is missing in a series."""
        self._missing.labels(series.instrument.symbol, series.timeframe.name).set(
            sum(gap.bars for gap in gaps)
        )

    def stood_in(self, series: Series, bars: int) -> None:
        """Count bars of a second source."""
        self._fallback.labels(series.instrument.symbol, series.timeframe.name).inc(bars)

    def disagreed(self, found: Disagreement) -> None:
        """Count a contradiction."""
        self._disagreements.labels(found.kind.value).inc()
