"""The health check of the containers."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts.runtime.metrics import bus_up, serve_metrics
from tests.integration.monitor.running import FreqtradeStandIn, freqtrade_stand_in

pytestmark = pytest.mark.integration
PROBE = Path(__file__).resolve().parents[3] / "deploy" / "docker" / "probe.py"


def probe(*arguments: str) -> int:
    return subprocess.run(
        [sys.executable, str(PROBE), *arguments], capture_output=True, timeout=30, check=False
    ).returncode


def asked_with(folder: Path, password: str) -> list[str]:
    file = folder / "password"
    file.write_text(f"{password}\n")
    return ["--loop-within=60", f"--user={FreqtradeStandIn.user}", f"--password-file={file}"]


@pytest.mark.parametrize(("age", "expected"), [(1.0, 0), (59.0, 0), (90.0, 1)])
def test_a_bot_is_healthy_while_its_loop_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, expected: int
) -> None:
    turned_at = time.time() - age
    monkeypatch.setattr(
        FreqtradeStandIn, "answer", lambda _self, _path: (200, {"last_process_ts": turned_at})
    )
    with freqtrade_stand_in() as bot:
        found = probe(f"{bot.url}/api/v1/health", *asked_with(tmp_path, bot.password))
    assert found == expected


def test_a_bot_whose_loop_never_turned_is_not_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FreqtradeStandIn, "answer", lambda _self, _path: (200, {"last_process_ts": None}))
    with freqtrade_stand_in() as bot:
        assert probe(f"{bot.url}/api/v1/health", *asked_with(tmp_path, bot.password)) == 1


@pytest.mark.parametrize(("bus", "expected"), [(1, 0), (0, 1)])
def test_a_process_with_metrics_is_healthy_once_the_bus_has_answered_it(bus: int, expected: int) -> None:
    registry = CollectorRegistry()
    bus_up(registry).set(bus)
    port = serve_metrics(registry, 0)
    assert probe(f"http://127.0.0.1:{port}/metrics") == 0
    assert probe(f"http://127.0.0.1:{port}/metrics", "--says=quantbus_bus_up 1.0") == expected


def test_an_answer_that_is_no_success_is_not_healthy(tmp_path: Path) -> None:
    with freqtrade_stand_in() as bot:
        assert probe(f"{bot.url}/api/v1/status", *asked_with(tmp_path, "wrong")) == 1
        assert probe(bot.url) == 1
    assert probe(bot.url) == 1
