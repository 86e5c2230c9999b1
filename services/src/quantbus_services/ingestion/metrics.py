"""What ingestion tells Prometheus."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from quantbus_contracts.errors import BusError
from quantbus_contracts.runtime.metrics import DELAY_BUCKETS, bus_up, clock_offset
from quantbus_contracts.schema import CandleReport
from quantbus_services.ingestion.series import Series

__all__ = ["VENUE_ERRORS", "IngestionMetrics"]

VENUE_ERRORS = (
    *("banned", "rate_limited", "unavailable", "maintenance", "network", "timeout", "clock", "garbage"),
    *("bad_symbol", "forbidden", "not_supported", "bad_request", "other"),
)
"""Every word that a failed request is counted under."""
_TURNS = ("ok", "late", "failed", "broken")


class IngestionMetrics:
    """The counters and gauges of one ingestion process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._written = Counter(
            "quantbus_candles_written", "Bars by what became of them.", ["outcome"], registry=registry
        )
        self._last = Gauge(
            "quantbus_candle_last_timestamp_seconds",
            "Open time of the newest stored bar.",
            ["symbol", "timeframe"],
            registry=registry,
        )
        self._errors = Counter(
            "quantbus_exchange_errors", "Failed requests to the exchange.", ["kind"], registry=registry
        )
        self._delay = Histogram(
            "quantbus_candle_ingest_delay_seconds",
            "From the close of a bar to its being stored.",
            registry=registry,
            buckets=DELAY_BUCKETS,
        )
        self._turns = Counter(
            "quantbus_ingestion_turns", "Turns of series by how they ended.", ["outcome"], registry=registry
        )
        self._hints = Counter(
            "quantbus_stream_hints",
            "Bars that the exchange's stream showed to be closed before they were asked for.",
            ["outcome"],
            registry=registry,
        )
        self._stream_errors = Counter(
            "quantbus_stream_errors", "Broken streams of the exchange.", ["kind"], registry=registry
        )
        self._offset = clock_offset(registry)
        self._bus_up = bus_up(registry)
        for outcome in CandleReport().as_dict():
            self._written.labels(outcome)
        for kind in VENUE_ERRORS:  # an increase is seen only from a number that was there before
            self._errors.labels(kind)
        for outcome in _TURNS:
            self._turns.labels(outcome)

    def written(self, report: CandleReport) -> None:
        """Count the outcome of a write."""
        for outcome, count in report.as_dict().items():
            self._written.labels(outcome).inc(count)

    def stored(self, series: Series, open_time: datetime) -> None:
        """Note the newest stored bar of a series."""
        self._last.labels(series.instrument.symbol, series.timeframe.name).set(open_time.timestamp())

    def delayed(self, seconds: float) -> None:
        """Note how long after its close a bar was stored."""
        self._delay.observe(max(0.0, seconds))

    def exchange_error(self, kind: str) -> None:
        """Count a failed request."""
        self._errors.labels(kind).inc()

    def turn(self, outcome: str) -> None:
        """Count a turn: ``ok``, ``late`` (a bar did not come), ``failed`` or ``broken`` (by an unexpected error)."""
        self._turns.labels(outcome).inc()

    def hint(self, outcome: str) -> None:
        """Count what a stream said about a bar: ``used``, or ``implausible``."""
        self._hints.labels(outcome).inc()

    def stream_error(self, kind: str) -> None:
        """Count a broken stream."""
        self._stream_errors.labels(kind).inc()

    @contextmanager
    def asking_bus(self) -> Generator[None]:
        """Note whether the bus answers what is asked inside."""
        try:
            yield
        except BusError:
            self._bus_up.set(0)
            raise
        self._bus_up.set(1)

    def clock_offset(self, source: str, seconds: float) -> None:
        """Note how far the venue's clock is ahead."""
        self._offset.labels(source).set(seconds)
