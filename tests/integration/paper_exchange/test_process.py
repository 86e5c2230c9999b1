import json
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from tests.integration.paper_exchange.conftest import COMMAND, PaperStarter, clean_environment
from tests.unit.services.paper_exchange.recordings import recording, write_parquet

pytestmark = pytest.mark.integration


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=clean_environment(), cwd=cwd
    )


def test_a_free_port_is_taken_and_told(start_paper: PaperStarter) -> None:
    paper = start_paper()
    health = httpx.get(f"{paper.url}/health", timeout=5)
    assert paper.ready == {"url": paper.url, "pid": paper.process.pid, "data": "SYNTHETIC"}
    assert health.json()["data"] == "SYNTHETIC"
    assert health.headers["X-Quantbus-Data"] == "SYNTHETIC"


def test_made_up_data_is_called_so_in_banner_and_log(start_paper: PaperStarter) -> None:
    lines = start_paper().log.read_text().splitlines()
    assert any("SYNTHETIC DATA" in line and "not a market" in line for line in lines)
    assert any("serving" in line and "data=SYNTHETIC" in line for line in lines)


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_two_seconds_with_a_connection_open(
    start_paper: PaperStarter, name: signal.Signals
) -> None:
    paper = start_paper()
    with httpx.Client(base_url=paper.url) as client:
        client.get("/api/v3/ping").raise_for_status()
        started = time.monotonic()
        paper.process.send_signal(name)
        assert paper.process.wait(timeout=10) == 0
    assert time.monotonic() - started < 2
    assert not paper.ready_file.exists()


def test_a_port_in_use_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run("serve", "--port", str(port), cwd=tmp_path)
    assert answer.returncode == 2
    said = " ".join(answer.stderr.split())
    assert f"127.0.0.1:{port}, found that another program listens there; choose another" in said
    assert "Traceback" not in answer.stderr


def test_a_stopped_exchange_leaves_its_port_to_the_next(start_paper: PaperStarter) -> None:
    first = start_paper()
    httpx.get(f"{first.url}/api/v3/ping", timeout=5).raise_for_status()
    first.process.send_signal(signal.SIGTERM)
    first.process.wait(timeout=10)
    again = start_paper("--port", first.url.rpartition(":")[2])
    assert again.url == first.url


def test_bad_options_end_with_one_clear_message(tmp_path: Path) -> None:
    broken = write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(4000))
    broken.write_bytes(broken.read_bytes()[:-30])
    for options, told in (
        (["--data", str(tmp_path / "nowhere")], "nowhere"),
        (["--data", str(broken)], "expected a Parquet file"),
        (["--from-bus"], "quantbus bus up"),
        (["--port", "70000"], "--port: Input should be less than"),
        (["--history", "long"], "--history: expected a duration such as 90m, 36h or 2d, found 'long'"),
        (["--start", "soon"], "--start: expected a moment such as 2026-01-05T12:00:00Z, found 'soon'"),
    ):
        answer = run("serve", *options, cwd=tmp_path)
        assert answer.returncode == 2, answer.stderr
        assert told in " ".join(answer.stderr.split())
        assert "Traceback" not in answer.stderr


def test_a_ready_file_that_a_killed_server_left_does_not_outlive_a_failed_start(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    ready_file.write_text("{}")
    missing = str(tmp_path / "nowhere")
    assert run("serve", "--ready-file", str(ready_file), "--data", missing, cwd=tmp_path).returncode == 2
    assert not ready_file.exists()


def test_an_answer_takes_no_longer_than_its_work(start_paper: PaperStarter) -> None:
    """Guards against 40 ms of Nagle's delay on every small answer, which an unnamed protocol brings back."""
    with httpx.Client(base_url=start_paper().url) as client:
        times = []
        for _ in range(30):
            started = time.perf_counter()
            client.get("/api/v3/ping").raise_for_status()
            times.append(time.perf_counter() - started)
    assert sorted(times)[len(times) // 2] < 0.03


def test_recorded_files_are_served_shifted_to_now(start_paper: PaperStarter, tmp_path: Path) -> None:
    bars = recording(5 * 1440)
    write_parquet(tmp_path / "data" / "ohlcv" / "BINANCE_BTCUSDT_1m.parquet", bars)
    paper = start_paper("--data", str(tmp_path / "data"))
    health = httpx.get(f"{paper.url}/health", timeout=5).json()
    assert paper.ready["data"] == health["data"] == "recorded"
    assert health["shift_seconds"] % 86_400 == 0
    closed = httpx.get(
        f"{paper.url}/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1m", "limit": 1000}
    ).json()[:-1]
    recorded = {moment: row for row, moment in enumerate(bars.open_time.tolist())}
    assert len(closed) == 999
    for row in closed:
        bar = bars.bar(recorded[row[0] - health["shift_seconds"] * 1000])
        assert [float(value) for value in row[1:6]] == [bar.open, bar.high, bar.low, bar.close, bar.volume]
    assert time.time() * 1000 - closed[-1][0] < 125_000


def test_configuration_for_clients_is_printed_as_json(tmp_path: Path) -> None:
    answer = run("ccxt-config", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["urls"]["api"]["public"] == "http://127.0.0.1:9/api/v3"
