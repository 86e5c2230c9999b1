"""Which findings get a series, and so an alert."""

from datetime import UTC, datetime, timedelta

from quantbus_services.monitor.exported import finding_series
from quantbus_services.monitor.findings import Finding, Severity
from quantbus_services.monitor.metrics import MOST_FINDINGS
from quantbus_services.monitor.status import FindingStatus

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def standing(
    subject: str, *, severity: Severity = Severity.CRITICAL, acknowledged: bool = False
) -> FindingStatus:
    found = Finding(
        kind="signals_unseen",
        severity=severity,
        subject=subject,
        message="",
        action="",
        strategy_id="demo",
        pair="BTC/USDT",
        acknowledged=acknowledged,
    )
    return FindingStatus.of("signals_unseen", found, NOON + timedelta(seconds=len(subject)))


def test_a_finding_is_told_with_strategy_pair_and_since_when() -> None:
    assert finding_series([standing("demo")]) == {
        ("signals_unseen", "signals_unseen", "critical", "demo", "demo", "BTC/USDT"): NOON.timestamp() + 4
    }


def test_what_somebody_took_on_is_not_told_any_more() -> None:
    assert finding_series([standing("demo", acknowledged=True)]) == {}


def test_of_too_many_the_most_severe_are_told() -> None:
    many = [standing(f"warning {number}", severity=Severity.WARNING) for number in range(MOST_FINDINGS)]
    told = finding_series([*many, standing("critical")])
    assert len(told) == MOST_FINDINGS
    assert next(iter(told))[3] == "critical"
