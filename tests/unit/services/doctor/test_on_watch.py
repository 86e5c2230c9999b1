"""What the doctor makes of who keeps watch; asked over real HTTP."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from quantbus_services.doctor.asking_pages import pages_of
from quantbus_services.doctor.findings import Finding
from quantbus_services.doctor.on_watch import watch_findings

ALERTS = ["Watchdog", *(f"Alert{number}" for number in range(12))]
RULES = {"data": {"groups": [{"rules": [{"type": "alerting", "name": name} for name in ALERTS]}]}}
TARGET = {"labels": {"job": "monitor"}, "scrapeUrl": "http://monitor:8710/metrics", "health": "up"}
GOOD: dict[str, tuple[int, Any]] = {
    "/readyz": (200, {}),
    "/-/ready": (200, None),
    "/api/v1/rules": (200, RULES),
    "/api/v1/alertmanagers": (200, {"data": {"activeAlertmanagers": [{"url": "http://alertmanager:9093"}]}}),
    "/api/v1/targets?state=active": (200, {"data": {"activeTargets": [TARGET]}}),
    "/api/v2/alerts": (200, [{"labels": {"alertname": "Watchdog"}}]),
}


@contextmanager
def answering(pages: dict[str, tuple[int, Any]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, told = pages.get(self.path, (404, None))
            body = b"plain words" if told is None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def found_with(**changes: tuple[int, Any]) -> dict[str, Finding]:
    paths = {"ready": "/-/ready", "rules": "/api/v1/rules", "receivers": "/api/v1/alertmanagers"}
    paths |= {"targets": "/api/v1/targets?state=active", "alerts": "/api/v2/alerts", "readyz": "/readyz"}
    with answering(GOOD | {paths[name]: page for name, page in changes.items()}) as url:
        names = ("monitor", "gateway", "prometheus", "alertmanager")
        return {one.check: one for one in watch_findings(pages_of(dict.fromkeys(names, url), 10.0))}


def test_all_who_answer_as_they_should_are_fine() -> None:
    assert {one.status for one in found_with().values()} == {"ok"}


def test_who_is_not_configured_is_skipped_and_who_is_away_fails() -> None:
    nobody = watch_findings(pages_of({"monitor": None}, 1.0))
    assert {one.status for one in nobody} == {"skipped"}
    with answering({}) as url:
        pass
    away = {one.check: one for one in watch_findings(pages_of({"monitor": url, "prometheus": url}, 1.0))}
    assert away["monitor"].status == away["prometheus"].status == "fail"
    assert away["targets"].status == "unknown"
    assert "does not answer" in away["monitor"].found


def test_a_monitor_that_is_not_ready_fails_with_its_reason() -> None:
    found = found_with(readyz=(503, {"reason": "the bus is away"}))["monitor"]
    assert found.status == "fail"
    assert "the bus is away" in found.found


def test_a_prometheus_without_our_rules_or_without_an_alertmanager_is_told() -> None:
    assert found_with(rules=(200, {"data": {"groups": []}}))["prometheus"].status == "fail"
    assert found_with(receivers=(200, {"data": {"activeAlertmanagers": []}}))["prometheus"].status == "warn"
    assert found_with(rules=(200, ["garbage"]))["prometheus"].status == "unknown"


def test_a_target_that_is_down_is_named() -> None:
    down = {
        "data": {"activeTargets": [TARGET, TARGET | {"health": "down", "scrapeUrl": "http://bot/metrics"}]}
    }
    found = found_with(targets=(200, down))["targets"]
    assert found.status == "warn"
    assert "http://bot/metrics" in found.found
    assert found_with(targets=(200, {"data": {"activeTargets": []}}))["targets"].status == "fail"


def test_an_alertmanager_that_hears_no_watchdog_would_hear_nothing() -> None:
    assert found_with(alerts=(200, []))["alertmanager"].status == "fail"
    assert found_with(alerts=(200, None))["alertmanager"].status == "unknown"
    assert found_with(ready=(503, None))["alertmanager"].status == "fail"
