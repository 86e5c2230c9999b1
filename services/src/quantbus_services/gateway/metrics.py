"""What the gateway exports."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quantbus_contracts.runtime.metrics import bus_up, published_signals

__all__ = ["GatewayMetrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
AUTH_FAILURES = ("missing", "malformed", "unknown", "wrong_secret", "expired", "revoked", "scope", "strategy")


class GatewayMetrics:
    """Requests, what became of rows, and who was turned away; labels are closed sets, never names of keys."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in ``registry``."""
        self.requests = Counter(
            "quantbus_gateway_requests", "Answered requests.", ["route", "outcome"], registry=registry
        )
        self.seconds = Histogram(
            "quantbus_gateway_request_seconds",
            "From the first byte of a request to its answer.",
            ["route"],
            registry=registry,
            buckets=_SECONDS,
        )
        self.in_flight = Gauge(
            "quantbus_gateway_in_flight", "Requests that are worked on now.", registry=registry
        )
        self.published = published_signals(registry)
        self.auth_failures = Counter(
            "quantbus_gateway_auth_failures", "Requests without a good key.", ["reason"], registry=registry
        )
        self.rate_limited = Counter(
            "quantbus_gateway_rate_limited",
            "Requests asked to come back later, by what was used up.",
            ["limit"],
            registry=registry,
        )
        self.bus_up = bus_up(registry)
        for reason in AUTH_FAILURES:
            self.auth_failures.labels(reason)
        for limit in ("key", "client", "in_flight"):
            self.rate_limited.labels(limit)
