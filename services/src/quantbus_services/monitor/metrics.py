"""What the monitor exports; times are Unix timestamps of moments, ages are left to the query."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quantbus_contracts.runtime.metrics import DELAY_BUCKETS, bus_up, clock_offset

__all__ = [
    "MOST_FINDINGS",
    "BotMetrics",
    "ChainMetrics",
    "Labels",
    "LedgerMetrics",
    "LoopMetrics",
    "PlatformMetrics",
    "remove",
    "set_all",
]

Labels = tuple[str, ...]

MOST_FINDINGS = 500
"""That get a series of their own: a bound for the day on which everything is wrong at once."""

_CYCLE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLIPPAGE_BUCKETS = (-0.01, -0.005, -0.002, -0.001, 0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


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
        self.cycle_seconds = Histogram(
            "quantbus_monitor_cycle_seconds",
            "How long a cycle took.",
            buckets=_CYCLE_BUCKETS,
            registry=registry,
        )
        self.findings = Gauge(
            "quantbus_monitor_findings",
            "What a check finds wrong now; absent while it cannot know.",
            ["check"],
            registry=registry,
        )
        self.finding_since = Gauge(
            "quantbus_finding_since_timestamp_seconds",
            "Since when a finding stands that nobody took on; at most 500 are exported, the most severe first.",
            ["check", "kind", "severity", "subject", "strategy_id", "pair"],
            registry=registry,
        )
        self.checked = Gauge(
            "quantbus_monitor_check_last_known_timestamp_seconds",
            "When a check last knew its answer; before the first, when its process began to look.",
            ["check"],
            registry=registry,
        )
        self.check_failures = Counter(
            "quantbus_monitor_check_failures",
            "Checks that could not know the answer.",
            ["check"],
            registry=registry,
        )


class ChainMetrics:
    """About the way of candles and signals: what stands on the bus, and the delay of each hop to it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""

        def moment(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"quantbus_{name}_timestamp_seconds", text, labels, registry=registry)

        def delay(name: str, text: str) -> Histogram:
            return Histogram(
                f"quantbus_signal_{name}_delay_seconds",
                f"{text}, once per live signal.",
                ["strategy_id"],
                registry=registry,
                buckets=DELAY_BUCKETS,
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
        self.compute_delay = delay("compute", "From the bar's place on the bus to the signal's computation")
        self.deliver_delay = delay("deliver", "From the signal's computation to its place on the bus")
        self.publish_delay = delay("publish", "From the bar's close to the signal's place on the bus")


class LedgerMetrics:
    """About what bots did with signals, and what they have: all from the ledger and their books."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""

        def delay(name: str, text: str) -> Histogram:
            return Histogram(
                f"quantbus_{name}_delay_seconds",
                f"{text}, once per row of the ledger.",
                ["consumer_id"],
                registry=registry,
                buckets=DELAY_BUCKETS,
            )

        self.consume_delay = delay("signal_consume", "From a signal's place on the bus to the consumer")
        self.order_delay = delay("order", "From a consumer's first look at a signal to the order")
        self.fill_delay = delay("fill", "From the order to its fill")
        self.slippage = Histogram(
            "quantbus_fill_slippage_ratio",
            "Fill price against the signal's ref_price, as a share of it; positive is worse for us.",
            ["consumer_id"],
            registry=registry,
            buckets=_SLIPPAGE_BUCKETS,
        )
        self.ended = Counter(
            "quantbus_signals_ended",
            "Signals that came to an end at a consumer, by their final state.",
            ["consumer_id", "state"],
            registry=registry,
        )
        reasons = ("consumer_id", "reason")
        self.refused = Counter(
            "quantbus_signals_refused", "Signals that a consumer refused.", reasons, registry=registry
        )
        self.rejects = Counter(
            "quantbus_order_rejects", "Signals whose order the venue rejected.", reasons, registry=registry
        )
        self.rejects_in_a_row = Gauge(
            "quantbus_order_rejects_in_a_row",
            "Orders that the venue rejected since it last took one, of the last hour.",
            ["consumer_id"],
            registry=registry,
        )
        self.balance = Gauge(
            "quantbus_bot_balance",
            "What a bot has of a currency by its own books: total, and free.",
            ["consumer_id", "currency", "kind"],
            registry=registry,
        )


class PlatformMetrics:
    """About the bus itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""
        self.replica_lag = Gauge(
            "quantbus_bus_replica_lag_seconds",
            "By how much a member of the replica set is behind the primary; absent while nobody can say.",
            ["member"],
            registry=registry,
        )
        self.members = Gauge(
            "quantbus_bus_members", "Members of the replica set by state.", ["state"], registry=registry
        )
        self.disk = Gauge(
            "quantbus_bus_disk_bytes", "Room on the bus's disk: size, and free.", ["kind"], registry=registry
        )
        self.controls = Gauge(
            "quantbus_controls_in_force", "Controls that restrain bots now.", ["kind"], registry=registry
        )

    def forget_health(self) -> None:
        """Export nothing about the database that is not known."""
        for gauge in (self.replica_lag, self.members, self.disk):
            gauge.clear()


class BotMetrics:
    """About the bot; registered only where one is configured, since 0 would be a statement.

    Its figures are absent while it does not answer.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""

        def figure(name: str, text: str, *more: str) -> Gauge:
            return Gauge(f"quantbus_freqtrade_{name}", text, ["consumer_id", *more], registry=registry)

        self.up = Gauge("quantbus_freqtrade_up", "1 if Freqtrade's REST API answered.", registry=registry)
        self.last_process = figure(
            "last_process_timestamp_seconds", "When Freqtrade's loop last turned; 0 if never."
        )
        self.started = figure("start_timestamp_seconds", "When Freqtrade started; 0 if it does not say.")
        self.whitelist = figure("whitelist_pairs", "Pairs that Freqtrade may enter.")
        self.open_trades = figure("open_trades", "Trades that Freqtrade holds open.")
        self.closed_trades = figure("closed_trades", "Trades that Freqtrade has closed, of all times.")
        self.equity = figure("equity", "What Freqtrade counts as its own, open trades included.", "currency")
        self.profit = figure("profit_ratio", "Profit of all trades to the capital at the beginning.")
        self.drawdown = figure("drawdown_ratio", "From the highest closed balance down to the equity now.")
        self.day_profit = figure("day_profit_ratio", "Profit since midnight UTC, open trades included.")
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

    def figures(self) -> tuple[Gauge, ...]:
        """Return what is unknown while the bot does not answer."""
        return (
            self.last_process,
            self.started,
            self.whitelist,
            self.open_trades,
            self.closed_trades,
            self.equity,
            self.profit,
            self.drawdown,
            self.day_profit,
        )


def remove(gauge: Gauge, *labels: str) -> None:
    """Let one series of a gauge vanish, if it is there."""
    if any(
        tuple(sample.labels.values()) == labels for metric in gauge.collect() for sample in metric.samples
    ):
        gauge.remove(*labels)


def set_all(gauge: Gauge, values: Mapping[Labels, float]) -> None:
    """Give a labelled gauge exactly these values; label sets that are not among them vanish."""
    known = {tuple(sample.labels.values()) for metric in gauge.collect() for sample in metric.samples}
    for labels in known - set(values):
        gauge.remove(*labels)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
