"""The worker's figures for Prometheus."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quantbus_contracts.runtime.metrics import DELAY_BUCKETS, bus_up, clock_offset, published_signals

__all__ = ["BarOutcome", "Hop", "WorkerMetrics"]

BarOutcome = Literal["evaluated", "degraded", "late", "skipped", "failed", "caught_up"]
Hop = Literal["close_to_bars", "bars_to_computed", "computed_to_available"]


class WorkerMetrics:
    """Collectors of one worker and its shadow; they live in the registry that is handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register every collector."""
        self.signals_published = published_signals(registry)
        self.bus_up = bus_up(registry)
        self.clock_offset = clock_offset(registry)
        self.publish_delay = Histogram(
            "quantbus_research_publish_delay_seconds",
            "From bar close to the bus's confirmation of that bar's live signals.",
            ["strategy_id"],
            buckets=DELAY_BUCKETS,
            registry=registry,
        )
        self.hops = Histogram(
            "quantbus_research_hop_seconds",
            "Of a live bar: from close until its bars were there (or the wait was over), until it was computed, "
            "until the bus had confirmed it.",
            ["strategy_id", "hop"],
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
            "Closed bars, by what the worker did with them: evaluated, degraded, late, skipped, failed, caught_up.",
            ["strategy_id", "outcome"],
            registry=registry,
        )
        self._register_troubles(registry)

    def _register_troubles(self, registry: CollectorRegistry) -> None:
        self.held_back = Counter(
            "quantbus_research_signals_held_back",
            "Signals that the recipe did not want to be said late, or without the bars of other pairs.",
            ["strategy_id"],
            registry=registry,
        )
        self.waiting = Gauge(
            "quantbus_research_waiting",
            "1 while the worker can say nothing: no model on the stage, or too little history.",
            ["strategy_id"],
            registry=registry,
        )
        self.bus_errors = Counter(
            "quantbus_research_bus_errors",
            "Attempts that the bus did not answer.",
            ["strategy_id"],
            registry=registry,
        )
        self.trainings = Counter(
            "quantbus_research_trainings",
            "Models taken, by whether they were there.",
            ["strategy_id", "outcome"],
            registry=registry,
        )
