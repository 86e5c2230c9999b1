"""Secrets in files of their own: read them, and write them so that nobody else can."""

import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.redaction import conceal

__all__ = ["new_secret", "read_secret", "secret_folder", "write_secret"]

_OWNER_ONLY = 0o600
_BYTES = 32


def secret_folder(home: Path) -> Path:
    """Return the folder of secrets of this home, made so that only its owner may look into it."""
    folder = home / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def new_secret() -> SecretStr:
    """Return 256 random bits as text that needs no escape in an address."""
    made = secrets.token_urlsafe(_BYTES)
    conceal(made)
    return SecretStr(made)


def read_secret(path: Path) -> SecretStr:
    """Return what a file says, without the end of its line.

    Raises
    ------
    ConfigError
        If there is no such file, or nothing in it.
    """
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        found = getattr(error, "strerror", None) or "no text"
        raise ConfigError(f"expected a secret in the file {str(path)!r}, found: {found}") from None
    if not text:
        raise ConfigError(f"expected a secret in the file {str(path)!r}, found it empty")
    conceal(text)
    return SecretStr(text)


def write_secret(path: Path, secret: SecretStr) -> None:
    """Write a file that only its owner may read; it is there as a whole or not at all."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secret.get_secret_value() + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
