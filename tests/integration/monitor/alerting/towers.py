"""Real Prometheus and Alertmanager from Debian's packages, with our rules and our configuration, on 127.0.0.1."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from quantbus_services.monitor.alerts.alertmanager import AlertmanagerSettings, write_configuration
from tests.integration.monitor.alerting.receivers import MailServer, Messenger
from tests.integration.monitor.running import wait_for

ROOT = Path(__file__).resolve().parents[4]
INTERVAL_SECONDS = 5


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        told = f"{name} is absent: install it (Debian and Ubuntu: apt-get install {package})"
        if os.environ.get("REQUIRE_TEST_TOOLS"):
            pytest.fail(told)
        pytest.skip(told)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Tower:
    """One of the two as a process of its own; may be frozen."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def running_tower(command: list[str], url: str, log: Path) -> Iterator[Tower]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent)
    tower = Tower(process, url, log)
    try:
        wait_for(tower.ready, what=f"{command[0]} to be ready; read {log}", seconds=120)
        yield tower
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


@contextmanager
def running_alertmanager(
    folder: Path, monitor_url: str, messenger: Messenger, mail: MailServer
) -> Iterator[Tower]:
    token = folder / "telegram-token"
    token.write_text("123456:made-up")
    settings = AlertmanagerSettings(
        monitor_url=monitor_url,
        email_to="operator@example.org",
        email_from="quantbus@example.org",
        smtp_host=f"127.0.0.1:{mail.port}",
        smtp_tls=False,
        telegram_chat=7,
        telegram_token_file=token,
        telegram_url=messenger.url,
    )
    config = folder / "alertmanager.yml"
    write_configuration(settings, config)
    port = free_port()
    command = [
        tool("prometheus-alertmanager", "prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running_tower(command, f"http://127.0.0.1:{port}", folder / "alertmanager.log") as tower:
        yield tower


@contextmanager
def running_prometheus(
    folder: Path, targets: Mapping[str, str], alertmanager: Tower, *, resend_seconds: int = 15
) -> Iterator[Tower]:
    """Run Prometheus over ``targets``, jobs by address; the intervals are those of the configuration that ships."""
    shipped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert shipped["global"] == {
        "scrape_interval": f"{INTERVAL_SECONDS}s",
        "evaluation_interval": f"{INTERVAL_SECONDS}s",
    }
    jobs = {**targets, "alertmanager": alertmanager.url}
    config = {
        "global": shipped["global"],
        "rule_files": [str(ROOT / "deploy/prometheus/rules/*.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [_address(alertmanager.url)]}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [_address(url)]}]} for job, url in jobs.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        tool("prometheus", "prometheus"),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--rules.alert.resend-delay={resend_seconds}s",
    ]
    with running_tower(command, f"http://127.0.0.1:{port}", folder / "prometheus.log") as tower:
        yield tower


def _address(url: str) -> str:
    return url.removeprefix("http://")
