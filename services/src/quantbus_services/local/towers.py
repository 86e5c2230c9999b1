"""Prometheus and Alertmanager beside the stack, where this machine has them."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from quantbus_contracts.errors import ConfigError
from quantbus_services.local.folders import check_port
from quantbus_services.local.stack import alert_configuration

__all__ = ["TOWER_PORTS", "Tower", "towers_of"]

TOWER_PORTS = {"prometheus": 9090, "alertmanager": 9093}
"""As in containers, and as deploy/prometheus/prometheus.local.yml has them."""
_PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}


@dataclass(frozen=True, slots=True)
class Tower:
    """One of the two: what it is called, where it listens, and how it is started."""

    name: str
    port: int
    command: tuple[str, ...]

    @property
    def url(self) -> str:
        """Address of its pages."""
        return f"http://127.0.0.1:{self.port}"


def towers_of(
    home: Path, checkout: Path, ports: dict[str, int] | None = None
) -> tuple[tuple[Tower, ...], tuple[str, ...]]:
    """Return the towers that can be had here, and why the others cannot.

    Raises
    ------
    ConfigError
        If the settings of whom Alertmanager tells are not whole.
    """
    found, missing = [], []
    for name, port in (TOWER_PORTS if ports is None else ports).items():
        program = next((path for one in _PROGRAMS[name] if (path := shutil.which(one))), None)
        if program is None:
            missing.append(
                f"{name} is left out: not installed here (Debian: apt-get install {_PROGRAMS[name][0]})"
            )
            continue
        try:
            check_port(port, what=name)
        except ConfigError as error:  # Debian's packages start a server of their own
            missing.append(f"{name} is left out: {error}")
            continue
        arguments = _prometheus(home, checkout) if name == "prometheus" else _alertmanager(home)
        listening = f"--web.listen-address=127.0.0.1:{port}"
        found.append(Tower(name, port, (program, listening, *arguments)))
    return tuple(found), tuple(missing)


def _prometheus(home: Path, checkout: Path) -> list[str]:
    return [
        f"--config.file={checkout / 'deploy' / 'prometheus' / 'prometheus.local.yml'}",
        f"--storage.tsdb.path={home / 'prometheus'}",
        "--storage.tsdb.retention.time=30d",
        "--rules.alert.resend-delay=15s",
    ]


def _alertmanager(home: Path) -> list[str]:
    """Write whom it tells, by the settings of whoever starts the stack, and return its arguments."""
    file = home / "alertmanager.yml"
    done = subprocess.run(  # noqa: S603  # our own command
        alert_configuration(file), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ConfigError(done.stderr.strip().removeprefix("error: "))
    return [
        f"--config.file={file}",
        f"--storage.path={home / 'alertmanager'}",
        "--cluster.listen-address=",  # one alone
    ]
