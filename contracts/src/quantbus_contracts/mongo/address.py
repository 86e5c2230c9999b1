"""Where the bus is and who asks: the address as configured, user and password beside it, never repeated in errors."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pymongo.errors import ConfigurationError, InvalidURI

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.redaction import conceal_address, redact
from quantbus_contracts.runtime.secret_files import read_secret
from quantbus_contracts.runtime.settings import MongoSettings

__all__ = ["address_errors", "credentials", "resolve_uri"]


def resolve_uri(settings: MongoSettings) -> str:
    """Return the address of the bus: as configured, else the embedded server's.

    Raises
    ------
    ConfigError
        If none is configured and no embedded server is up.
    """
    if settings.mongo_uri is not None:
        uri = settings.mongo_uri.get_secret_value()
        conceal_address(uri)
        return uri
    path = Path(settings.home) / "bus.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["uri"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"no bus: expected QUANTBUS_MONGO_URI, or an embedded server's address in {path}; "
            f"set the one or start the other with `quantbus bus up`{_stacks_of(path.parent)}"
        ) from None


def _stacks_of(home: Path) -> str:
    """Return where the stacks that run on this machine keep the address of theirs, for a person to choose."""
    found = sorted(file.parent for file in home.absolute().glob("stack-*/bus.json"))
    return f", or ask a stack of this machine: QUANTBUS_HOME={' or '.join(map(str, found))}" if found else ""


def credentials(settings: MongoSettings) -> dict[str, str]:
    """Return user and password where they stand beside the address; they outrank what stands in it."""
    given = {}
    if settings.mongo_user is not None:
        given["username"] = settings.mongo_user
    if settings.mongo_password_file is not None:
        given["password"] = read_secret(settings.mongo_password_file).get_secret_value()
    return given


@contextmanager
def address_errors(uri: str) -> Generator[None]:
    """Say what is wrong with an address; a driver's message may quote the part of a password that it tripped over."""
    try:
        yield
    except (InvalidURI, ConfigurationError, ValueError, TypeError) as error:
        found = redact(str(error)) if "@" not in uri else "it cannot be read, and is not repeated here"
        raise ConfigError(
            f"the address of the bus is wrong: {found}; expected mongodb://user:password@host:port/?options with "
            "every / : @ ? # % in user and password percent-encoded; check QUANTBUS_MONGO_URI"
        ) from None
