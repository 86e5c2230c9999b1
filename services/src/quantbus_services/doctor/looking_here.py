"""Collects what this machine says of itself."""

import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, read_settings, unknown_names
from quantbus_services.doctor.exposure import look
from quantbus_services.doctor.on_machine import MachineFacts
from quantbus_services.doctor.settings import (
    ENV_FILE,
    environment,
    secret_files_in,
    values_of,
    written_secrets,
)

__all__ = ["machine_facts"]

_MEMBERS = ("quantbus-contracts", "quantbus-services", "quantbus-research", "quantbus-executor")
_OTHERS = ("pymongo", "ccxt", "freqtrade")


def machine_facts(home: Path) -> MachineFacts:
    """Look at what is installed, the environment, and the files under ``home``."""
    named = secret_files_in(environment())
    return MachineFacts(
        python=sys.version_info[:2],
        versions=dict(_versions((*_MEMBERS, *_OTHERS))),
        unknown_names=unknown_names(),
        settings=_why_not(),
        secret_files=[look(path) for path in sorted({*named.values(), *_kept(home)})],
        env_file=look(ENV_FILE),
        env_secrets=written_secrets(values_of(ENV_FILE)),
        disk=_disk(home),
    )


def _versions(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in names:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _why_not() -> str:
    try:
        for kind in (HomeSettings, MongoSettings):
            read_settings(kind)
    except ConfigError as error:
        return " ".join(str(error).split())
    return ""


def _kept(home: Path) -> list[Path]:
    folder = home / "secrets"
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _disk(home: Path) -> tuple[str, int, int] | None:
    try:
        usage = shutil.disk_usage(home)
    except OSError:
        return None
    return str(home), usage.total, usage.free
