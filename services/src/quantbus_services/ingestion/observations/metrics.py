"""What the observing process tells Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from quantbus_contracts.schema import MARKET_EVENTS, OBSERVATIONS, CandleReport, MarketChange, Observation

__all__ = ["ObservationMetrics"]


class ObservationMetrics:
    """The counters and gauges of observations and of the market lists."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._written = Counter(
            "quantbus_observations_written",
            "Observations by kind and by what became of them.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._last = Gauge(
            "quantbus_observation_last_timestamp_seconds",
            "Instant of the newest stored observation.",
            ["kind", "symbol"],
            registry=registry,
        )
        self._cycles = Counter(
            "quantbus_observation_cycles",
            "Rounds of asking, by kind and by how they ended.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._changes = Counter(
            "quantbus_market_changes",
            "What changed in the venue's market list.",
            ["event"],
            registry=registry,
        )
        for kind in OBSERVATIONS:
            for outcome in CandleReport().as_dict():
                self._written.labels(kind, outcome)
        for event in MARKET_EVENTS:
            self._changes.labels(event)

    def written(self, kind: str, report: CandleReport) -> None:
        """Count the outcome of a write."""
        for outcome, count in report.as_dict().items():
            self._written.labels(kind, outcome).inc(count)

    def stored(self, observations: Iterable[Observation]) -> None:
        """Note the newest of what is now stored."""
        for item in observations:
            gauge = self._last.labels(item.kind, item.symbol)
            gauge.set(item.at.timestamp())

    def cycle(self, kind: str, outcome: str) -> None:
        """Count a round: ``ok``, ``partial`` (some symbols failed) or ``failed``."""
        self._cycles.labels(kind, outcome).inc()

    def changed(self, changes: Iterable[MarketChange]) -> None:
        """Count what changed in a market list."""
        for change in changes:
            self._changes.labels(change.event).inc()
