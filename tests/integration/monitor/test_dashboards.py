"""Every panel of every dashboard, asked of a real Prometheus that scrapes all that our processes export."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import httpx
import pytest
import yaml

from quantbus_services.monitor.dashboards import files
from tests.integration.monitor.alerting.towers import ROOT, Tower, free_port, running_tower, tool
from tests.integration.monitor.running import wait_for
from tests.unit.deploy.exporting import PROCESSES, exported_by

pytestmark = pytest.mark.integration

REAL_VALUES = {
    ("quantbus_bus_disk_bytes", "kind"): ("size", "free"),
    ("quantbus_bot_balance", "kind"): ("total", "free"),
    ("quantbus_finding_since_timestamp_seconds", "check"): ("position_mismatch", "orders_in_doubt"),
    ("quantbus_finding_since_timestamp_seconds", "kind"): ("audit_broken",),
    ("quantbus_monitor_findings", "check"): ("orders_in_doubt",),
    ("quantbus_signals_published_total", "outcome"): ("inserted", "rejected"),
    ("quantbus_research_bars_total", "outcome"): ("failed",),
}
"""Values of labels that panels ask for; all others are asked for by grouping only."""


def lively(text: str, turn: int) -> str:
    """Return what a process exports as if something had happened since the last look."""
    return "\n".join(made for line in text.splitlines() for made in _samples(line, turn)) + "\n"


def _samples(line: str, turn: int) -> Iterator[str]:
    if line.startswith("#") or not line.startswith("quantbus_"):
        yield line
        return
    name = re.match(r"\w+", line)
    assert name
    what = name.group()
    counted = what.endswith(("_total", "_bucket", "_sum", "_count"))
    value = turn if counted else time.time() - 5 if "timestamp" in what else 1
    lines = [f"{line.rpartition(' ')[0]} {value}"]
    for (metric, label), values in REAL_VALUES.items():
        if metric == what:
            lines = [
                re.sub(rf'\b{label}="[^"]*"', f'{label}="{real}"', one) for one in lines for real in values
            ]
    yield from dict.fromkeys(lines)


@pytest.fixture(scope="module")
def exporter() -> Iterator[str]:
    texts = {f"/{process}": exported_by(process)[0].decode() for process in PROCESSES}
    turns = count(1)

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = lively(texts[self.path], next(turns)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def prometheus(exporter: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tower]:
    folder = tmp_path_factory.mktemp("dashboards")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "deploy/prometheus/rules/*.yml")],
        "scrape_configs": [
            {
                "job_name": f"quantbus-{process}",
                "metrics_path": f"/{process}",
                "static_configs": [{"targets": [exporter]}],
            }
            for process in PROCESSES
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        tool("prometheus", "prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running_tower(command, f"http://127.0.0.1:{port}", folder / "prometheus.log") as tower:
        yield tower


def queries() -> dict[str, str]:
    """Return the queries as Grafana would send them with everything chosen, by where they stand."""
    found = {}
    for name, text in files().items():
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", ()):
                chosen = re.sub(r"\$(strategy|consumer)\b", ".*", target["expr"])
                found[f"{name}: {panel['title']} {target['refId']}"] = chosen.replace(
                    "$__rate_interval", "20s"
                )
    return found


def test_every_panel_shows_something_of_what_our_processes_export(prometheus: Tower, tmp_path: Path) -> None:
    asked = queries()
    missing = set(asked)
    assert len(missing) > 100

    def all_there() -> bool:
        with httpx.Client(base_url=prometheus.url, timeout=30, trust_env=False) as client:
            for place in sorted(missing):
                answer = client.post("/api/v1/query", data={"query": asked[place]})
                assert answer.status_code == 200, f"{place}: {answer.text}"
                if answer.json()["data"]["result"]:
                    missing.discard(place)
        (tmp_path / "missing").write_text("\n".join(sorted(missing)))
        return not missing

    wait_for(
        all_there, what=f"every panel to show something; {tmp_path / 'missing'} has the others", seconds=60
    )
