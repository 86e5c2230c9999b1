"""What the monitor exports; times are Unix timestamps of moments, ages are left to the query."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quantbus_contracts.runtime.metrics import DELAY_BUCKETS, bus_up, clock_offset

__all__ = ["MOST_FINDINGS", "BotMetrics", "ChainMetrics", "LoopMetrics", "set_all"]

Labels = tuple[str, ...]

MOST_FINDINGS = 500
"""That get a series of their own: a bound for the day on which everything is wrong at once."""


class LoopMetrics:
    """About the monitor's own loop and its checks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""
        self.bus_up = bus_up(registry)
        self.clock_offset = clock_offset(registry)
        self.last_cycle = Gauge(
            "quantbus_monitor_last_cycle_timestamp_seconds",
            "When the last cycle of checks ended, whatever it found.",
            registry=registry,
        )
        self.findings = Gauge(
            "quantbus_monitor_findings", "What the checks find wrong now.", ["check"], registry=registry
        )
        self.finding_since = Gauge(
            "quantbus_finding_since_timestamp_seconds",
            "When a finding that stands was first seen; at most 500 are exported, the most severe first.",
            ["check", "kind", "severity", "subject", "strategy_id", "pair"],
            registry=registry,
        )
        self.check_failures = Counter(
            "quantbus_monitor_check_failures",
            "Checks that could not know the answer.",
            ["check"],
            registry=registry,
        )


class ChainMetrics:
    """About the way of candles and signals: what stands on the bus, and the delay of each hop."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""

        def moment(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"quantbus_{name}_timestamp_seconds", text, labels, registry=registry)

        def delay(name: str, text: str, label: str) -> Histogram:
            return Histogram(
                f"quantbus_{name}_delay_seconds", text, [label], registry=registry, buckets=DELAY_BUCKETS
            )

        stream = ("symbol", "timeframe")
        self.candle_last = moment("candle_last", "Open time of the newest bar; 0 if none.", *stream)
        self.candle_due = moment("candle_due", "When the next bar is due at the latest.", *stream)
        self.run_last = moment(
            "strategy_last_run", "Open time of the bar last evaluated; 0 if none.", "strategy_id"
        )
        self.run_due = moment(
            "strategy_run_due", "When the next evaluation is due at the latest.", "strategy_id"
        )
        self.signal_last = moment(
            "signal_last", "Open time of the newest signal's bar; 0 if none.", "strategy_id"
        )
        self.heartbeat = moment("heartbeat", "Last sign of life of a process.", "process", "instance")
        self.publish_delay = delay(
            "signal_publish", "From bar close to the bus, once per signal.", "strategy_id"
        )
        self.consume_delay = delay(
            "signal_consume", "From the bus to the consumer, once per signal.", "consumer_id"
        )
        self.refused = Counter(
            "quantbus_signals_refused",
            "Signals that a consumer refused or a venue rejected.",
            ["consumer_id", "reason"],
            registry=registry,
        )


class BotMetrics:
    """About the bot; registered only where one is configured, since 0 would be a statement."""

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
            ["kind"],
            registry=registry,
        )


def set_all(gauge: Gauge, values: Mapping[Labels, float]) -> None:
    """Give a labelled gauge exactly these values; label sets that are not among them vanish."""
    known = {tuple(sample.labels.values()) for metric in gauge.collect() for sample in metric.samples}
    for labels in known - set(values):
        gauge.remove(*labels)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
