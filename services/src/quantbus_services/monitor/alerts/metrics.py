"""What the alert room tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge

__all__ = ["MESSAGE_OUTCOMES", "AlertMetrics"]

MESSAGE_OUTCOMES = ("delivered", "retried", "failed", "dropped")


class AlertMetrics:
    """Messages by what became of them, and the last sign of life of Prometheus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""
        self.messages = Counter(
            "quantbus_alert_messages",
            "Messages to messengers by what became of them; one is counted once for each messenger.",
            ["outcome"],
            registry=registry,
        )
        self.refused = Counter(
            "quantbus_alert_posts_refused", "Posts to /alerts that were not taken.", registry=registry
        )
        self.watchdog_last = Gauge(
            "quantbus_watchdog_last_timestamp_seconds",
            "When the Watchdog was last heard; 0 if never.",
            registry=registry,
        )
        for outcome in MESSAGE_OUTCOMES:
            self.messages.labels(outcome)
