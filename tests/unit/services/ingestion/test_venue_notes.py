"""What the exchange made of us, as ingestion tells it to Prometheus and in its sign of life."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.testing import FrozenClock
from quantbus_services.ingestion.metrics import VENUE_ERRORS, IngestionMetrics
from quantbus_services.ingestion.venue.notes import VenueNotes

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> IngestionMetrics:
    return IngestionMetrics(registry)


def test_a_venue_that_has_done_nothing_has_left_no_marks(metrics: IngestionMetrics) -> None:
    assert VenueNotes("BINANCE", FrozenClock(NOON), metrics).detail() == {
        "venue": "BINANCE",
        "venue_limited_at": None,
        "venue_banned_at": None,
        "venue_clock_offset_seconds": None,
    }


def test_the_last_limit_the_last_ban_and_the_clock_are_told_as_they_are(
    metrics: IngestionMetrics, registry: CollectorRegistry
) -> None:
    clock = FrozenClock(NOON)
    notes = VenueNotes("BINANCE", clock, metrics)
    for kind in ("rate_limited", "network", "banned", "rate_limited"):
        notes.error(kind)
        clock.advance(timedelta(seconds=10))
    notes.offset("binance", -2.5)
    assert notes.detail() == {
        "venue": "BINANCE",
        "venue_limited_at": (NOON + timedelta(seconds=30)).isoformat(),
        "venue_banned_at": (NOON + timedelta(seconds=20)).isoformat(),
        "venue_clock_offset_seconds": -2.5,
    }
    errors = {
        kind: registry.get_sample_value("quantbus_exchange_errors_total", {"kind": kind})
        for kind in VENUE_ERRORS
    }
    assert errors == dict.fromkeys(VENUE_ERRORS, 0.0) | {"rate_limited": 2.0, "network": 1.0, "banned": 1.0}
    assert registry.get_sample_value("quantbus_clock_offset_seconds", {"source": "binance"}) == -2.5


def test_the_bus_is_up_while_it_takes_signs_of_life(
    metrics: IngestionMetrics, registry: CollectorRegistry
) -> None:
    with metrics.asking_bus():
        assert registry.get_sample_value("quantbus_bus_up") == 0
    assert registry.get_sample_value("quantbus_bus_up") == 1
    with metrics.asking_bus():
        assert registry.get_sample_value("quantbus_bus_up") == 1  # while it is asked it is not down
    with pytest.raises(BusUnavailable), metrics.asking_bus():
        raise BusUnavailable("no")
    assert registry.get_sample_value("quantbus_bus_up") == 0


def test_every_word_that_a_request_may_fail_with_is_in_the_list() -> None:
    from quantbus_services.ingestion.venue import ccxt_source

    words = {kind for table in (ccxt_source._KINDS, ccxt_source._REFUSALS) for _, kind in table}
    assert words | {"banned", "unavailable", "garbage", "network", "other"} == set(VENUE_ERRORS)
