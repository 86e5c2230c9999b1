"""Judges who keeps watch: monitor, gateway, Prometheus and Alertmanager, by what they answered; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quantbus_services.doctor.findings import Finding, fail, ok, skipped, unknown, warn

__all__ = ["QUESTIONS", "Page", "Pages", "watch_findings"]

QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "monitor": ("/readyz",),
    "gateway": ("/readyz",),
    "prometheus": ("/-/ready", "/api/v1/rules", "/api/v1/alertmanagers", "/api/v1/targets?state=active"),
    "alertmanager": ("/-/ready", "/api/v2/alerts"),
}
"""What is asked of whom."""
_OUR_ALERTS = 10
"""Fewer alert rules than that are not ours."""
_START = {
    "monitor": "start it: `quantbus monitor serve`, or see its log",
    "gateway": "start it: `quantbus gateway serve`, or see its log",
    "prometheus": "start it with deploy/prometheus/prometheus.yml, or see its log",
    "alertmanager": "start it with deploy/alertmanager/alertmanager.yml, or see its log",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its status, None where there was none; its JSON, if it is any; in words why not."""

    status: int | None
    told: Any = None
    words: str = ""

    @property
    def is_good(self) -> bool:
        """Whether it was answered as asked."""
        return self.status is not None and 200 <= self.status < 300


Pages = Mapping[str, Page]
"""Answers by path."""


def watch_findings(pages: Mapping[str, Pages]) -> list[Finding]:
    """Return what every check of the watch came to; who is not among ``pages`` was not configured."""
    found = [_ready(name, pages.get(name)) for name in ("monitor", "gateway")]
    prometheus = pages.get("prometheus")
    found += [_prometheus(prometheus), _targets(prometheus), _alertmanager(pages.get("alertmanager"))]
    return found


def _ready(name: str, pages: Pages | None) -> Finding:
    expected = f"a {name} that is ready"
    if pages is None:
        return skipped(name, expected, "none is named", _naming(name))
    page = pages["/readyz"]
    if page.is_good:
        return ok(name, expected, "it is")
    found = page.words if page.status is None else f"it answers {page.status}: {page.words}"
    return fail(name, expected, found, _START[name])


def _naming(name: str) -> str:
    return f"set QUANTBUS_DOCTOR_{name.upper()}_URL"


def _prometheus(pages: Pages | None) -> Finding:
    expected = "a Prometheus that is ready, with our rules, and an Alertmanager to send alerts to"
    if pages is None:
        return skipped("prometheus", expected, "none is named", _naming("prometheus"))
    if not pages["/-/ready"].is_good:
        return fail("prometheus", expected, pages["/-/ready"].words, _START["prometheus"])
    try:
        groups = pages["/api/v1/rules"].told["data"]["groups"]
        alerts = {rule["name"] for group in groups for rule in group["rules"] if rule["type"] == "alerting"}
        receivers = pages["/api/v1/alertmanagers"].told["data"]["activeAlertmanagers"]
    except (KeyError, TypeError):
        return unknown("prometheus", expected, "its API answers something else", "ask it with a browser")
    if len(alerts) < _OUR_ALERTS or "Watchdog" not in alerts:
        advice = "let rule_files of its config name deploy/prometheus/rules/*.yml"
        return fail("prometheus", expected, f"{len(alerts)} alert rules, ours not among them", advice)
    if not receivers:
        advice = (
            "let alerting of its config name the Alertmanager, or nobody hears of anything (docs/alerting.md)"
        )
        return warn("prometheus", expected, f"{len(alerts)} alert rules, and no Alertmanager", advice)
    return ok("prometheus", expected, f"{len(alerts)} alert rules, {len(receivers)} Alertmanager")


def _targets(pages: Pages | None) -> Finding:
    expected = "processes that answer Prometheus"
    if pages is None:
        return skipped("targets", expected, "no Prometheus is named")
    try:
        rows = pages["/api/v1/targets?state=active"].told["data"]["activeTargets"]
        health = {f"{row['labels']['job']} {row['scrapeUrl']}": row["health"] for row in rows}
    except (KeyError, TypeError):
        return unknown("targets", expected, "Prometheus does not tell", _START["prometheus"])
    away = sorted(name for name, state in health.items() if state != "up")
    if away:
        advice = "start what should run here; take out of Prometheus's config what should not"
        return warn("targets", expected, f"not up: {'; '.join(away[:5])}", advice)
    if not health:
        return fail(
            "targets", expected, "none", "let scrape_configs name them (deploy/prometheus/prometheus.yml)"
        )
    return ok("targets", expected, f"{len(health)} up")


def _alertmanager(pages: Pages | None) -> Finding:
    expected = "an Alertmanager that is ready and hears the Watchdog"
    if pages is None:
        return skipped("alertmanager", expected, "none is named", _naming("alertmanager"))
    if not pages["/-/ready"].is_good:
        return fail("alertmanager", expected, pages["/-/ready"].words, _START["alertmanager"])
    try:
        heard = {alert["labels"]["alertname"] for alert in pages["/api/v2/alerts"].told}
    except (KeyError, TypeError):
        return unknown(
            "alertmanager", expected, "its API answers something else", "ask it with `amtool alert`"
        )
    if "Watchdog" not in heard:
        advice = "let Prometheus send its alerts here; the Watchdog always fires, some minutes after a start"
        return fail("alertmanager", expected, "it is ready, and hears no Watchdog", advice)
    return ok(
        "alertmanager", expected, f"it hears the Watchdog, and {len(heard - {'Watchdog'})} other alerts"
    )
