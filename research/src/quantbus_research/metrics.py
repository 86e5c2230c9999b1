"""The worker's figures for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quantbus_contracts.runtime.metrics import DELAY_BUCKETS, published_signals

__all__ = ["WorkerMetrics"]


class WorkerMetrics:
    """Collectors of one worker; they live in the registry that is handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register every collector."""
        self.signals_published = published_signals(registry)
        self.publish_delay = Histogram(
            "quantbus_research_publish_delay_seconds",
            "From bar close to the bus's confirmation of that bar's live signals.",
            buckets=DELAY_BUCKETS,
            registry=registry,
        )
        self.last_signal = Gauge(
            "quantbus_research_last_publish_timestamp_seconds",
            "When the strategy last published a live signal (Unix time).",
            ["strategy_id"],
            registry=registry,
        )
        self.bars = Counter(
            "quantbus_research_bars",
            "Closed bars, by what the worker did with them: evaluated, degraded, skipped, failed.",
            ["outcome"],
            registry=registry,
        )
        self.bus_errors = Counter(
            "quantbus_research_bus_errors", "Attempts that the bus did not answer.", registry=registry
        )
        self.trainings = Counter(
            "quantbus_research_trainings",
            "Models taken, by whether they were there.",
            ["outcome"],
            registry=registry,
        )
