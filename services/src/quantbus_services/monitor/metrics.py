"""What the monitor exports; times are Unix timestamps of moments, ages are left to the query."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quantbus_contracts.runtime.metrics import DELAY_BUCKETS

__all__ = ["BotMetrics", "MonitorMetrics", "set_all"]

Labels = tuple[str, ...]
_PREFIX: Final = "quantbus"


class MonitorMetrics:
    """The monitor's collectors, made in the registry they are given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""

        def gauge(name: str, text: str, labels: Labels = ()) -> Gauge:
            return Gauge(name, text, labels, namespace=_PREFIX, registry=registry)

        def counter(name: str, text: str, labels: Labels = ()) -> Counter:
            return Counter(name, text, labels, namespace=_PREFIX, registry=registry)

        def delay(name: str, text: str, label: str) -> Histogram:
            return Histogram(
                name, text, (label,), namespace=_PREFIX, registry=registry, buckets=DELAY_BUCKETS
            )

        stream = ("symbol", "timeframe")
        strategy = ("strategy_id",)
        self.bus_up = gauge("bus_up", "1 if the bus answered in the last cycle, 0 if not.")
        self.clock_offset = gauge(
            "clock_offset_seconds", "How far the clock of a source is ahead of this machine's.", ("source",)
        )
        self.last_cycle = gauge(
            "monitor_last_cycle_timestamp_seconds", "When the last cycle of checks ended, whatever it found."
        )
        self.findings = gauge("monitor_findings", "What the checks find wrong now.", ("check",))
        self.check_failures = counter(
            "monitor_check_failures_total", "Checks that could not know the answer.", ("check",)
        )
        self.candle_last = gauge(
            "candle_last_timestamp_seconds", "Open time of the newest bar of a stream; 0 if none.", stream
        )
        self.candle_due = gauge(
            "candle_due_timestamp_seconds", "When the next bar of a stream is due at the latest.", stream
        )
        self.run_last = gauge(
            "strategy_last_run_timestamp_seconds",
            "Open time of the newest bar that a strategy was evaluated for; 0 if none.",
            strategy,
        )
        self.run_due = gauge(
            "strategy_run_due_timestamp_seconds",
            "When the next evaluation of a strategy is due at the latest.",
            strategy,
        )
        self.signal_last = gauge(
            "signal_last_timestamp_seconds",
            "Open time of the bar of a strategy's newest signal; 0 if none.",
            strategy,
        )
        self.publish_delay = delay(
            "signal_publish_delay_seconds", "From bar close to the bus, once per signal.", "strategy_id"
        )
        self.consume_delay = delay(
            "signal_consume_delay_seconds", "From the bus to the consumer, once per signal.", "consumer_id"
        )
        self.refused = counter(
            "signals_refused_total",
            "Signals that a consumer refused or a venue rejected.",
            ("consumer_id", "reason"),
        )
        self.heartbeat = gauge(
            "heartbeat_timestamp_seconds", "Last sign of life of a process.", ("process", "instance")
        )


class BotMetrics:
    """Collectors about the bot; registered only where one is configured, since 0 would be a statement."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""
        self.up = Gauge("quantbus_freqtrade_up", "1 if Freqtrade's REST API answered.", registry=registry)
        self.reconciled = Gauge(
            "quantbus_reconcile_last_success_timestamp_seconds",
            "When open trades were last compared with the signals; 0 if never.",
            registry=registry,
        )
        self.mismatches = Gauge(
            "quantbus_reconcile_mismatches",
            "Disagreements of open trades with the signals; absent while the bot does not answer.",
            ("kind",),
            registry=registry,
        )


def set_all(gauge: Gauge, values: Mapping[Labels, float]) -> None:
    """Give a labelled gauge exactly these values; label sets that are not among them vanish."""
    known = {tuple(sample.labels.values()) for metric in gauge.collect() for sample in metric.samples}
    for labels in known - set(values):
        gauge.remove(*labels)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
