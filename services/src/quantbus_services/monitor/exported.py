"""Findings as series of Prometheus: one each, so that an alert can name strategy and pair."""

from collections.abc import Iterable

from quantbus_services.monitor.metrics import MOST_FINDINGS, Labels
from quantbus_services.monitor.status import FindingStatus

__all__ = ["finding_series"]


def finding_series(standing: Iterable[FindingStatus]) -> dict[Labels, float]:
    """Return since when each finding stands, by its labels; what somebody took on alarms nobody any more."""
    told = sorted(
        (found for found in standing if not found.acknowledged),
        key=lambda found: (found.severity, found.since),
    )
    return {
        (
            found.check,
            found.kind,
            found.severity,
            found.subject,
            found.strategy_id,
            found.pair,
        ): found.since.timestamp()
        for found in told[:MOST_FINDINGS]
    }
