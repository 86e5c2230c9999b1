"""Run a mongod as a one-node replica set on 127.0.0.1, and stop it again by its pid.

The address stands in ``bus.json`` in the quantbus home, the data beside it. Starting twice finds the running one.
With access control on, no password stands there; see `quantbus_contracts.embedded.access`.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from quantbus_contracts.embedded.access import ServerKey, admin_password, has_server_key, server_key
from quantbus_contracts.embedded.binary import find_mongod
from quantbus_contracts.errors import BusUnavailable, ConfigError
from quantbus_contracts.mongo.founding import REPLICA_SET, ensure_administrator
from quantbus_contracts.mongo.steps import Row

__all__ = ["EmbeddedServer", "server_status", "start_server", "stop_server"]

_NOT_YET_INITIALIZED = 94
_LAST_WORDS = 300
_PORTS = range(20_000, 32_768)
"""Below those that outgoing connections get: a client that knocks while the server is away would take its port."""
_PORT_TRIES = 100
_PORT_SECONDS = 2.0
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_FLAGS = (
    "--bind_ip=127.0.0.1",
    "--networkMessageCompressors=snappy,zstd",  # zlib stays off: CVE-2025-14847
    "--noscripting",  # no $where, no mapReduce
    "--wiredTigerCacheSizeGB=0.25",
    "--oplogSize=64",
    "--setParameter=transactionLifetimeLimitSeconds=3",  # how long a dead publisher holds up the next one
)


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running embedded server; ``auth`` says whether it asks who one is."""

    uri: str
    pid: int
    port: int
    data: str
    log: str
    auth: bool = False


def start_server(home: Path, *, mongod: Path | None = None, auth: bool | None = None) -> EmbeddedServer:
    """Start the embedded server of ``home`` unless it runs; return once it answers as primary.

    With ``auth`` it lets nobody in without a password, and the administrator exists. Not given means as this home
    has it: a bus that had access control keeps it, a new one has none.

    Raises
    ------
    ConfigError
        If no mongod is found, or the running one has no access control and should have.
    BusUnavailable
        If it does not answer in time; the message names the log to read.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home):
        running = server_status(home)
        if running is not None:
            if auth and not running.auth:
                raise ConfigError(
                    f"expected a bus with access control, found one without (pid {running.pid}); "
                    "stop it with `quantbus bus down` and start it again"
                )
            return running
        binary = find_mongod(mongod, home)
        server = _launch(binary, home.resolve(), with_auth=has_server_key(home) if auth is None else auth)
        _record(home, server)
        return server


def server_status(home: Path) -> EmbeddedServer | None:
    """Return the server that ``bus.json`` names if that process runs and answers; None otherwise."""
    server = _recorded(home)
    if server is None or not _is_ours(server):
        return None
    return server if _answers(server.port, seconds=2.0) else None


def stop_server(home: Path) -> bool:
    """Stop the embedded server of ``home``; return whether one ran.

    Raises
    ------
    BusUnavailable
        If it does not end in time.
    """
    with _lock(home) if home.is_dir() else _nothing():
        server = _recorded(home)
        if server is None:
            return False
        ran = _is_ours(server)
        if ran:
            _end(server.pid)
        (home / "bus.json").unlink(missing_ok=True)
        return ran


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _alive(pid):
        if time.monotonic() > deadline:
            raise BusUnavailable(
                f"mongod (pid {pid}) did not stop within {_STOP_SECONDS:.0f} s; end it by hand"
            )
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Tell whether the process has ended and only waits to be noticed (in a container, perhaps for ever)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] == "Z"


def _record(home: Path, server: EmbeddedServer) -> None:
    told = asdict(server)
    if not server.auth:
        del told["auth"]
    path = home / "bus.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(told) + "\n", encoding="utf-8")
    temporary.replace(path)


def _recorded(home: Path) -> EmbeddedServer | None:
    try:
        return EmbeddedServer(**json.loads((home / "bus.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _is_ours(server: EmbeddedServer) -> bool:
    """Tell whether the recorded pid is still our mongod: pids are given anew, and we end by pid."""
    if not _alive(server.pid):
        return False
    command = subprocess.run(  # noqa: S603  # fixed program, numeric argument
        ["ps", "-ww", "-o", "command=", "-p", str(server.pid)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return f"--dbpath={server.data}" in command


def _launch(binary: Path, home: Path, *, with_auth: bool) -> EmbeddedServer:
    data, log = home / "mongo", home / "mongod.log"
    data.mkdir(exist_ok=True)
    port = _port_of(home)
    key = server_key(home) if with_auth else None
    command = [
        str(binary),
        *_FLAGS,
        *(key.flags if key else ()),
        f"--replSet={REPLICA_SET}",
        f"--port={port}",
        f"--dbpath={data}",
        f"--logpath={log}",
        "--logappend",
        "--nounixsocket",  # clients use TCP, and the path of a socket in a deep folder is too long to be one
    ]
    pid = _spawn(command, log)
    try:
        _await_primary(pid, port, log, key)
        if key:
            with _direct_client(port, seconds=_START_SECONDS, key=key) as client:
                ensure_administrator(client, admin_password(home))
    except BaseException:
        if _alive(pid):
            os.kill(pid, signal.SIGKILL)
        raise
    uri = f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"
    return EmbeddedServer(uri=uri, pid=pid, port=port, data=str(data), log=str(log), auth=with_auth)


def _spawn(command: list[str], log: Path) -> int:
    """Start a process that is nobody's child, so that it outlives the command that started it; return its pid.

    What it says before it can write its own ``log`` goes there too.
    """
    answer = subprocess.run(  # noqa: S603  # a fixed script; the binary is the one that find_mongod chose
        ["/bin/sh", "-c", '"$@" >>"$0" 2>&1 & echo $!', str(log), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=True,
    )
    return int(answer.stdout)


def _await_primary(pid: int, port: int, log: Path, key: ServerKey | None) -> None:
    deadline = time.monotonic() + _START_SECONDS
    configured = False
    while time.monotonic() < deadline:
        if not _alive(pid):
            raise ConfigError(_why_it_ended(log))
        try:
            with _direct_client(port, seconds=2.0, key=key) as client:
                if not configured:
                    _configure(client, port)
                    configured = True
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
        except PyMongoError:
            pass
        time.sleep(0.05)
    raise BusUnavailable(f"mongod did not become primary within {_START_SECONDS:.0f} s; read {log}")


def _why_it_ended(log: Path) -> str:
    last = next(reversed(log.read_text(encoding="utf-8", errors="replace").splitlines() or [""]))
    if "shared libraries" in last:
        return (
            f"mongod cannot start: {last}. Install what it needs (Debian, Ubuntu: apt-get install libcurl4)"
        )
    return f"mongod ended at once; its last words: {last[-_LAST_WORDS:]!r}; read {log}"


def _configure(client: "MongoClient[Row]", port: int) -> None:
    """Make the server a replica set of itself, or tell an old one its new port."""
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        return
    if config["members"][0]["host"] != member["host"]:
        config["members"][0]["host"] = member["host"]
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)


def _direct_client(port: int, *, seconds: float, key: ServerKey | None = None) -> "MongoClient[Row]":
    milliseconds = int(seconds * 1000)
    return MongoClient(
        "127.0.0.1",
        port,
        directConnection=True,
        serverSelectionTimeoutMS=milliseconds,
        socketTimeoutMS=milliseconds,
        **(key.credentials if key else {}),
    )


def _answers(port: int, *, seconds: float) -> bool:
    try:
        with _direct_client(port, seconds=seconds) as client:
            return bool(client.admin.command("hello").get("isWritablePrimary"))
    except PyMongoError:
        return False


def _port_of(home: Path) -> int:
    """Return the port of the last time if nobody else took it, so that clients find a restarted server again."""
    memory = home / "mongod.port"
    known = int(memory.read_text(encoding="utf-8")) if memory.is_file() else None
    if known is not None and _becomes_free(known):
        return known
    tries = (_PORTS.start + secrets.randbelow(len(_PORTS)) for _ in range(_PORT_TRIES))
    port = next((port for port in tries if _is_free(port)), None)
    if port is None:
        raise BusUnavailable(
            f"found no free port on 127.0.0.1 in {_PORT_TRIES} tries between {_PORTS.start} and {_PORTS.stop - 1}"
        )
    memory.write_text(f"{port}\n", encoding="utf-8")
    return port


def _becomes_free(port: int) -> bool:
    """Wait a little: a mongod that was just ended counts as dead before the last of its threads has closed the port."""
    deadline = time.monotonic() + _PORT_SECONDS
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def _lock(home: Path) -> Iterator[None]:
    """Let one command at a time start or stop the server of this home."""
    with (home / "bus.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _nothing() -> Iterator[None]:
    yield
