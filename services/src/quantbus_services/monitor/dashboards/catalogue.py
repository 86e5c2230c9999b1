"""All dashboards, in the order in which somebody with a question opens them."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

from quantbus_services.monitor.dashboards.data import DATA
from quantbus_services.monitor.dashboards.execution import EXECUTION
from quantbus_services.monitor.dashboards.latency import LATENCY
from quantbus_services.monitor.dashboards.model import Dashboard
from quantbus_services.monitor.dashboards.overview import OVERVIEW
from quantbus_services.monitor.dashboards.reconciliation import RECONCILIATION
from quantbus_services.monitor.dashboards.rendering import rendered
from quantbus_services.monitor.dashboards.research import RESEARCH
from quantbus_services.monitor.dashboards.strategies import STRATEGIES

__all__ = ["DASHBOARDS", "files", "write_dashboards"]

DASHBOARDS: tuple[Dashboard, ...] = (
    OVERVIEW,
    LATENCY,
    DATA,
    STRATEGIES,
    EXECUTION,
    RECONCILIATION,
    RESEARCH,
)

_READABLE = 0o644
"""Grafana runs as somebody else, and there is nothing secret inside."""


def files() -> Mapping[str, str]:
    """Return every file's name and text."""
    return {f"{dashboard.name}.json": rendered(dashboard) for dashboard in DASHBOARDS}


def write_dashboards(folder: Path) -> tuple[Path, ...]:
    """Write every dashboard into ``folder``, each whole or not at all; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files().items():
        with NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).chmod(_READABLE)
        written.append(Path(file.name).replace(folder / name))
    return tuple(written)
