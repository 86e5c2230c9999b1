"""A gateway as its own process, over the databases of one test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr

from quantbus_contracts.mongo.api_keys import ApiKeyStore
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_contracts.schema.tokens import Token

QUANTBUS = str(Path(sys.executable).parent / "quantbus")


def environment(mongo: MongoSettings, folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a child: the databases of this test and nothing of the machine's."""
    return {
        **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
        "HOME": str(folder),
        "COLUMNS": "200",
        "QUANTBUS_HOME": str(folder / "quantbus"),
        "QUANTBUS_MONGO_URI": (mongo.mongo_uri or SecretStr("")).get_secret_value(),
        "QUANTBUS_MARKET_DB": mongo.market_db,
        "QUANTBUS_SIGNALS_DB": mongo.signals_db,
        "QUANTBUS_TRADING_DB": mongo.trading_db,
        **more,
    }


class Gateway:
    """A gateway that serves, with the means to make keys for it."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        url: str,
        log: Path,
        child: dict[str, str],
        mongo: MongoSettings,
    ) -> None:
        self.mongo = mongo
        self.process = process
        self.url = url
        self.log = log
        self.child = child
        self._clients: list[httpx.Client] = []
        self.http = self._client({})

    def _client(self, headers: dict[str, str]) -> httpx.Client:
        made = httpx.Client(base_url=self.url, timeout=20, trust_env=False, headers=headers)
        self._clients.append(made)
        return made

    def keys(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [QUANTBUS, "keys", *arguments],
            env=self.child,
            cwd=self.log.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    def new_key(self, **given: object) -> str:
        """Store a key that may read and write, unless ``given`` says otherwise; return its secret."""
        token = Token.fresh("hook" if given.get("kind") == "hook" else "api")
        with closing(connect(self.mongo, app="test", timeout_seconds=20)) as connection:
            fields = {
                "key_id": token.key_id,
                "name": "test",
                "secret_hash": token.secret_hash,
                "scopes": ("read", "write"),
                "created_at": connection.server_now(),
                **given,
            }
            ApiKeyStore(connection).add(ApiKey.model_validate(fields))
        return token.text

    def new_hook(self, *strategies: str) -> str:
        return self.new_key(kind="hook", scopes=("write",), strategies=strategies)

    def publisher(self, **given: object) -> httpx.Client:
        """Return a client with a new key that may read and write."""
        return self.client(self.new_key(**given))

    def client(self, secret: str) -> httpx.Client:
        """Return a client that shows ``secret``."""
        return self._client({"Authorization": f"Bearer {secret}"})

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def metric(self, sample: str) -> float:
        """Return one sample by its name with labels, as Prometheus writes it; 0 where it is not there yet."""
        for line in self.http.get("/metrics").text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until the end."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        return time.monotonic() - started


@contextmanager
def running_gateway(mongo: MongoSettings, folder: Path, **settings: object) -> Iterator[Gateway]:
    """Start a gateway with ``settings`` (names without their prefix), and end it."""
    ready_file, log = folder / "gateway.json", folder / "gateway.log"
    more = {f"QUANTBUS_GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}
    child = environment(mongo, folder, **more)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [QUANTBUS, "gateway", "serve", "--port", "0", "--ready-file", str(ready_file)],
            env=child,
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 30
        while not ready_file.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"no ready-file; the log: {log.read_text()!r}"
            time.sleep(0.05)
        gateway = Gateway(process, json.loads(ready_file.read_text())["url"], log, child, mongo)
        with closing(gateway):
            yield gateway
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(timeout=10)
