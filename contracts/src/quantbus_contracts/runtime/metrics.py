"""Prometheus registries: one per process, never a module global, so that tests get a fresh one.

What several processes export under one name is made here, so that it means one thing.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client import start_http_server as _start_http_server

from quantbus_contracts.errors import ConfigError

__all__ = [
    "DELAY_BUCKETS",
    "PUBLISH_OUTCOMES",
    "bus_up",
    "clock_offset",
    "new_registry",
    "published_signals",
    "serve_metrics",
]

DELAY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds; from a local publish to half a bar of an hourly strategy."""


PUBLISH_OUTCOMES = ("inserted", "revised", "unchanged", "stale", "unknown", "rejected")


def new_registry(process: str, version: str) -> CollectorRegistry:
    """Return a registry that already knows the process's own figures and ``quantbus_build_info``."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    Info("quantbus_build", "What runs here.", registry=registry).info(
        {"process": process, "version": version}
    )
    return registry


def bus_up(registry: CollectorRegistry) -> Gauge:
    """Return the gauge that says whether the bus answered."""
    return Gauge("quantbus_bus_up", "1 if the bus answered the last time, 0 if not.", registry=registry)


def clock_offset(registry: CollectorRegistry) -> Gauge:
    """Return the gauge of other clocks (the bus's, a venue's) against this machine's, by ``source``."""
    return Gauge(
        "quantbus_clock_offset_seconds",
        "How far another clock is ahead of this machine's.",
        ["source"],
        registry=registry,
    )


def published_signals(registry: CollectorRegistry) -> Counter:
    """Return the counter of published rows by outcome; every outcome is there from the start."""
    counter = Counter(
        "quantbus_signals_published",
        "Rows by what became of them; a repeated one is counted again.",
        ["outcome"],
        registry=registry,
    )
    for outcome in PUBLISH_OUTCOMES:
        counter.labels(outcome)
    return counter


def serve_metrics(registry: CollectorRegistry, port: int, *, host: str = "127.0.0.1") -> int:
    """Serve ``/metrics`` on ``host`` from a background thread; return the port (0 asks for a free one).

    Raises
    ------
    ConfigError
        If address and port cannot be had.
    """
    try:
        server, _ = _start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise ConfigError(
            f"expected a free port for metrics, found {port} on {host} unusable ({error.strerror or error}); "
            "give another with --metrics-port, or 0 for none"
        ) from error
    return int(server.server_port)
