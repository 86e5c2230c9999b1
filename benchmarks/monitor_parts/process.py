"""The monitor as its own process, and what it costs: processor, memory, questions to the database."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from bus_parts.ground import percentile, processor_seconds

from quantbus_contracts.mongo.client import Connection

__all__ = ["Monitor", "Server", "running"]

_START_SECONDS = 180.0


@dataclass
class Monitor:
    """A monitor that serves."""

    process: "subprocess.Popen[bytes]"
    http: httpx.Client

    def processor_seconds(self) -> float:
        """Return the processor time that it has had."""
        return processor_seconds(self.process.pid)

    def memory_mb(self) -> float:
        """Return its resident memory (Linux; 0 elsewhere)."""
        path = Path(f"/proc/{self.process.pid}/status")
        if not path.is_file():
            return 0.0
        lines = path.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1_024

    def cycles(self) -> tuple[float, float]:
        """Return how many cycles there were and how long they took together."""
        lines = self.http.get("/metrics").text.splitlines()
        told = dict(line.split(" ") for line in lines if line.startswith("quantbus_monitor_cycle_seconds_"))
        name = "quantbus_monitor_cycle_seconds"
        return float(told[f"{name}_count"]), float(told[f"{name}_sum"])

    def page(self, path: str, times: int) -> tuple[list[float], int]:
        """Ask for a page again and again; return the seconds of each answer, and its size."""
        taken, size = [], 0
        for _ in range(times):
            begun = time.perf_counter()
            reply = self.http.get(path)
            taken.append(time.perf_counter() - begun)
            reply.raise_for_status()
            size = len(reply.content)
        return taken, size

    def p95(self, path: str, times: int) -> tuple[float, float, int]:
        """Return median and 95th percentile of a page in seconds, and its size."""
        self.page(path, 2)
        taken, size = self.page(path, times)
        return percentile(taken, 0.5), percentile(taken, 0.95), size


class Server:
    """What the database counts."""

    def __init__(self, connection: Connection) -> None:
        self._client = connection.client

    def asked(self) -> int:
        """Return how many commands that read or write it has had, the monitor's and its own housekeeping's."""
        told = self._client.admin.command("serverStatus")["metrics"]["commands"]
        names = ("find", "aggregate", "getMore", "insert", "update", "bulkWrite", "findAndModify", "distinct")
        return sum(int(told[name]["total"]) for name in names if name in told)


@contextmanager
def running(connection: Connection, uri: str, folder: Path, *, interval: float) -> Iterator[Monitor]:
    """Run the monitor over the databases of ``connection`` until the end of the block."""
    ready, log = folder / "ready.json", folder / "monitor.log"
    ready.unlink(missing_ok=True)
    databases = connection.names.all()
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "QUANTBUS_HOME": str(folder / "home"),
        "QUANTBUS_MONGO_URI": uri,
        **{f"QUANTBUS_{name.upper()}_DB": database for name, database in databases.items()},
    }
    command = [str(Path(sys.executable).parent / "quantbus"), "monitor", "serve", "--port", "0"]
    command += ["--interval", str(interval), "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, env=given, cwd=folder, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the monitor did not start: {log.read_text(encoding='utf-8')[-2_000:]}")
            time.sleep(0.05)
        url = str(json.loads(ready.read_text(encoding="utf-8"))["url"])
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
            yield Monitor(process, http)
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
