"""Start our commands as a user does, and end them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quantbus_contracts.runtime.settings import MongoSettings

QUANTBUS = str(Path(sys.executable).with_name("quantbus"))


def environment(settings: MongoSettings, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTBUS_")}
    assert settings.mongo_uri is not None
    return {
        **kept,
        "QUANTBUS_HOME": str(settings.home),
        "QUANTBUS_MONGO_URI": settings.mongo_uri.get_secret_value(),
        "QUANTBUS_MARKET_DB": settings.market_db,
        "QUANTBUS_SIGNALS_DB": settings.signals_db,
        "QUANTBUS_TRADING_DB": settings.trading_db,
        **more,
    }


def ingest(settings: MongoSettings, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``quantbus ingest`` to its end."""
    return subprocess.run(
        [QUANTBUS, "ingest", *arguments],
        env=environment(settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@dataclass
class Running:
    """A process of ours, its output in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, *, seconds: float = 10.0) -> float:
        """Ask it to stop; return how long that took."""
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=seconds)
        return time.monotonic() - asked

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def await_line(self, text: str, *, seconds: float) -> None:
        await_true(lambda: text in self.log.read_text(), seconds=seconds, told=lambda: self.log.read_text())


def start(
    arguments: list[str], settings: MongoSettings, folder: Path, name: str, **variables: str
) -> Running:
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [QUANTBUS, *arguments],
            env=environment(settings, **variables),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    return Running(process, log)


def start_paper(settings: MongoSettings, folder: Path, *options: str, port: int = 0) -> tuple[Running, str]:
    """Start a paper exchange; return it and its address."""
    ready = folder / "paper.json"
    ready.unlink(missing_ok=True)
    paper = start(
        ["paper-exchange", "serve", "--port", str(port), "--ready-file", str(ready), *options],
        settings,
        folder,
        "paper",
    )
    await_true(ready.is_file, seconds=60, told=lambda: paper.log.read_text())
    return paper, str(json.loads(ready.read_text())["url"])


def await_true(
    holds: Callable[[], bool],
    *,
    seconds: float,
    told: Callable[[], str] = lambda: "it did not happen in time",
) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, told()
        time.sleep(0.05)
