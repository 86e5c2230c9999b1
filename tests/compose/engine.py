"""An engine for the real `docker compose up`: the machine's own, or a private one in a network namespace of its own.

The private one pulls nothing, so the images that the Compose file names are stood in for: a minimal Debian with its
Python, the mongod of our own package, Prometheus of Debian; ours are built by their real Dockerfiles on top.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from quantbus_contracts.embedded import find_mongod

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = Path(sys.executable).parent / "docker-compose"
PYTHON_IMAGE = "python:3.12-slim-bookworm"
OFFLINE_IMAGE = "quantbus-build-offline"
UV = "uv==0.13.9"
_TOOLS = ("dockerd", "docker", "debootstrap", "unshare", "nsenter", "iptables")
_DEBIAN = "python3,python3-venv,python3-pip,python-is-python3,libgomp1,ca-certificates,wget,libcurl4"
_TEMPLATES = tuple(Path("/usr/share/prometheus/alertmanager").glob("*.tmpl"))
"""Debian's Alertmanager reads them from there; the project's own has them inside."""
_ASK = """
import sys, urllib.request, urllib.error
method, url, key = sys.argv[1:4]
body = sys.stdin.buffer.read() or None
request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": "application/json"})
if key: request.add_header("Authorization", key)
try: answer = urllib.request.urlopen(request, timeout=15)
except urllib.error.HTTPError as error: answer = error
print(answer.status); sys.stdout.write(answer.read().decode())
"""


class NoEngine(Exception):
    """There is no engine here and none can be made; says why."""


@dataclass(frozen=True)
class Engine:
    """A Docker engine, and how what it publishes on 127.0.0.1 is reached."""

    environment: Mapping[str, str]
    inside: tuple[str, ...] = ()
    """Command before a command, so that it runs in the engine's network."""
    offline: bool = False

    def docker(self, *words: str, timeout: float = 120, check: bool = True) -> str:
        return self._run(["docker", *words], timeout=timeout, check=check)

    def compose(
        self,
        *words: str,
        folder: Path,
        environment: Mapping[str, str],
        timeout: float = 600,
        check: bool = True,
    ) -> str:
        return self._run(
            ["docker", "compose", *words],
            timeout=timeout,
            check=check,
            folder=folder,
            environment=environment,
        )

    def beside(
        self, *command: str, folder: Path, environment: Mapping[str, str], timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a command where the engine is and its ports are published."""
        return self._done([*self.inside, *command], folder, environment, timeout)

    def ask(self, method: str, url: str, body: object = None, *, authorization: str = "") -> tuple[int, Any]:
        """Return status and answer of an HTTP request that is made where the ports are published."""
        told = "" if body is None else json.dumps(body)
        command = [*self.inside, sys.executable, "-c", _ASK, method, url, authorization]
        done = subprocess.run(command, input=told, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            return 0, done.stderr.strip().splitlines()[-1]
        status, _, text = done.stdout.partition("\n")
        try:
            return int(status), json.loads(text)
        except ValueError:
            return int(status), text

    def _run(
        self,
        command: list[str],
        *,
        timeout: float,
        check: bool,
        folder: Path = ROOT,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        done = self._done(command, folder, environment, timeout)
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _done(
        self, command: list[str], folder: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@contextmanager
def an_engine(folder: Path) -> Iterator[Engine]:
    """Give the machine's engine, or a private one that keeps its images in ``folder``.

    Raises
    ------
    NoEngine
        If there is neither; says what is missing.
    """
    if (
        shutil.which("docker")
        and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    ):
        yield Engine({})
        return
    missing = [name for name in _TOOLS if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        raise NoEngine(
            "no Docker engine answers here, and a private one wants root"
            + (f" and {', '.join(missing)} (Debian: docker.io debootstrap iptables)" if missing else "")
        )
    with _private_daemon(folder) as engine:
        StandIns(engine, folder).make()
        yield engine


@contextmanager
def _private_daemon(folder: Path) -> Iterator[Engine]:
    folder.mkdir(parents=True, exist_ok=True)
    socket, pid_file = folder / "docker.sock", folder / "dockerd.pid"
    pid_file.unlink(missing_ok=True)
    command = (
        f"ip link set lo up && exec dockerd --data-root {folder}/data --exec-root {folder}/exec "
        f"--pidfile {pid_file} -H unix://{socket} --storage-driver overlay2 --default-ulimit nofile=20000:20000"
    )
    environment = {
        "DOCKER_HOST": f"unix://{socket}",
        "DOCKER_CONFIG": str(_with_plugin(folder / "config")),
        "DOCKER_BUILDKIT": "0",
        "STACK_BUILD_IMAGE": OFFLINE_IMAGE,
    }
    with (folder / "dockerd.log").open("w") as log:
        daemon = subprocess.Popen(
            ["unshare", "-n", "-m", "sh", "-c", command],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            engine = Engine(environment, ("nsenter", "-t", str(daemon.pid), "-n"), offline=True)
            _await_daemon(engine, folder)
            yield engine
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)


def _with_plugin(config: Path) -> Path:
    """Make a folder by which ``docker compose`` is the Compose of our own lock."""
    plugin = config / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(COMPOSE)
    return config


def _await_daemon(engine: Engine, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not engine.docker("version", "--format", "{{.Server.Version}}", check=False).strip():
        if time.monotonic() > deadline:
            raise NoEngine(f"dockerd did not answer within 60 s; read {folder / 'dockerd.log'}")
        time.sleep(0.5)


@dataclass
class StandIns:
    """What is there instead of images that cannot be pulled; made once, kept by the engine."""

    engine: Engine
    folder: Path
    _known: set[str] = field(default_factory=set)

    def make(self) -> None:
        listed = self.engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}")
        self._known = set(listed.split())
        self._python()
        self._mongo()
        self._of_debian("prom/prometheus:v2.55.1", {"prometheus": "prometheus", "promtool": "promtool"})
        self._of_debian(
            "prom/alertmanager:v0.27.0",
            {"prometheus-alertmanager": "alertmanager", "amtool": "amtool"},
            *_TEMPLATES,
        )
        self._builder()

    def _python(self) -> None:
        if PYTHON_IMAGE in self._known:
            return
        root = self.folder / "rootfs"
        if not (root / "usr/bin/python3").exists():
            shutil.rmtree(root, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", f"--include={_DEBIAN}", "bookworm", str(root)]
            subprocess.run(
                [*command, "http://deb.debian.org/debian"], check=True, capture_output=True, timeout=900
            )
        (root / "etc/apt/sources.list").write_text("")  # nothing to ask, so that `apt-get update` is content
        (root / "etc/pip.conf").write_text(
            "[global]\nno-index = true\nfind-links = /wheelhouse\nbreak-system-packages = true\n"
        )
        packed = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(
            ["docker", "import", "-", PYTHON_IMAGE],
            stdin=packed.stdout,
            env={**os.environ, **self.engine.environment},
            check=True,
            capture_output=True,
            timeout=300,
        )
        assert packed.wait(timeout=60) == 0

    def _mongo(self) -> None:
        self._image(
            "mongo:7.0.28",
            {find_mongod(None, self.folder): "mongod"},
            "COPY mongod /usr/bin/mongod\n"
            "RUN chmod 0755 /usr/bin/mongod && groupadd -g 999 mongodb && useradd -u 999 -g 999 mongodb "
            "&& mkdir -p /data/db && chown 999:999 /data/db\n",
        )

    def _of_debian(self, name: str, programs: Mapping[str, str], *shared: Path) -> None:
        found = {shutil.which(program): inside for program, inside in programs.items()}
        if None in found:
            raise NoEngine(
                f"{name} is stood in for by Debian's: apt-get install prometheus prometheus-alertmanager"
            )
        copies = {Path(path): inside for path, inside in found.items() if path is not None}
        copied = "".join(f"COPY {path.name} {path}\n" for path in shared)
        kept = (
            "/" + name.partition("/")[2].partition(":")[0]
        )  # the folder whose owner a new volume takes over
        owned = f"RUN mkdir {kept} && chown 65534:65534 {kept}\n"
        files = {**copies, **{path: path.name for path in shared}}
        self._image(name, files, f"COPY {' '.join(copies.values())} /bin/\n{copied}{owned}")

    def _builder(self) -> None:
        """Bring uv and the packages of the lock, from the cache that set up this checkout."""
        cached = subprocess.run(
            [_uv(), "cache", "dir"], check=True, capture_output=True, text=True, timeout=30
        ).stdout.strip()
        context = self.folder / "builder"
        shutil.rmtree(context, ignore_errors=True)
        (context / "wheelhouse").mkdir(parents=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", "wheelhouse", UV]
            if shutil.which("pip") is None
            else ["pip", "download", "--quiet", "--no-deps", "-d", "wheelhouse", UV],
            cwd=context,
            check=True,
            capture_output=True,
            timeout=300,
        )
        linked = subprocess.run(["cp", "-al", cached, "cache"], cwd=context, capture_output=True, check=False)
        if linked.returncode:
            shutil.rmtree(context / "cache", ignore_errors=True)
            subprocess.run(["cp", "-a", cached, "cache"], cwd=context, check=True, timeout=600)
        (context / "Dockerfile").write_text(
            f"FROM {PYTHON_IMAGE}\nCOPY wheelhouse /wheelhouse\nCOPY cache /uv-cache\n"
            "ENV UV_OFFLINE=1 UV_CACHE_DIR=/uv-cache\n"
        )
        self.engine.docker("build", "--quiet", "--tag", OFFLINE_IMAGE, str(context), timeout=1_200)

    def _image(self, name: str, files: Mapping[Path, str], more: str) -> None:
        context = self.folder / name.partition(":")[0].replace("/", "-")
        recipe = f"FROM {PYTHON_IMAGE}\n{more}"
        made = context / "Dockerfile"
        if name in self._known and made.is_file() and made.read_text() == recipe:
            return
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir()
        for path, inside in files.items():
            shutil.copy2(path, context / inside)
        made.write_text(recipe)
        self.engine.docker("build", "--quiet", "--tag", name, str(context), timeout=600)


def _uv() -> str:
    beside = ROOT / ".tools/bin/uv"
    return shutil.which("uv") or str(beside)
