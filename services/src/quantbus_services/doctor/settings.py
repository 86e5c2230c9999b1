"""Settings of the doctor, read from ``QUANTBUS_DOCTOR_*``; and what else stands in the environment."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.settings import ProcessSettings

__all__ = ["ENV_FILE", "DoctorSettings", "environment", "secret_files_in", "values_of", "written_secrets"]

ENV_FILE = Path(".env")
_SECRET_FILE = re.compile(r"(QUANTBUS|FREQTRADE)_\w*(PASSWORD|KEY|SECRET|PASSPHRASE|TOKEN|URLS|ACCOUNT)_FILE")
_SECRET = re.compile(r"(QUANTBUS|FREQTRADE|EXT_SIG)_\w*(PASSWORD|KEY|SECRET|PASSPHRASE|TOKEN)")
_WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")
Address = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]


class DoctorSettings(ProcessSettings):
    """Which parts this installation has; what is not named is not asked."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_DOCTOR_")

    monitor_url: Address | None = None
    gateway_url: Address | None = None
    prometheus_url: Address | None = None
    alertmanager_url: Address | None = None
    timeout_seconds: float = Field(10.0, gt=0, le=120)
    """Of one question over HTTP."""
    command_seconds: float = Field(120.0, gt=0, le=600)
    """Of another command of quantbus that is asked."""


def environment() -> dict[str, str]:
    """Return what processes that start here are told: ``.env``, outranked by the environment."""
    return {**values_of(ENV_FILE), **os.environ}


def values_of(file: Path) -> dict[str, str]:
    """Return what a file of variables says; nothing where there is none."""
    found = dotenv_values(file, interpolate=False) if file.is_file() else {}
    return {name: value for name, value in found.items() if value}


def secret_files_in(variables: Mapping[str, str]) -> dict[str, Path]:
    """Return the files with secrets that variables name."""
    return {
        name: Path(value)
        for name, value in variables.items()
        if value and _SECRET_FILE.fullmatch(name.upper())
    }


def written_secrets(variables: Mapping[str, str]) -> list[str]:
    """Return the names of variables whose value is a secret itself, or an address with a password."""
    return sorted(
        name
        for name, value in variables.items()
        if _SECRET.fullmatch(name.upper()) or _WITH_PASSWORD.search(value)
    )
