"""Which schema this code knows, and whether it may work on a bus that has another."""

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.steps import Row, Steps, find

__all__ = [
    "BASE_VERSION",
    "RESTORING",
    "SCHEMA_VERSION",
    "VERSIONS_COLLECTION",
    "check_version",
    "refuse_strange_versions",
]

_AUTHENTICATION_FAILED = 18
SCHEMA_VERSION = 2
"""The newest version that `quantbus_contracts.mongo.migrations` leads to."""
BASE_VERSION = 1
"""What a bus has that was laid out before versions were recorded."""
RESTORING = 2**31 - 1
"""The version of a bus that is being restored: newer than anybody's, so that nobody works on half of the data."""
VERSIONS_COLLECTION = "schema_version"


def refuse_strange_versions() -> Steps[None]:
    """Ask for the newest recorded version, and refuse one that is newer than this code.

    Whoever may not read it goes on: what is written is held to the validators all the same.

    Raises
    ------
    ConfigError
        If the bus has a newer schema, or is being restored.
    """
    try:
        found: list[Row] = yield find(
            VERSIONS_COLLECTION, {}, {"version": 1}, sort=[("version", -1)], limit=1
        )
    except ConfigError as error:
        if getattr(error.__cause__, "code", None) == _AUTHENTICATION_FAILED:
            raise  # the driver has tried until the time was over, so that none is left to find out again
        return  # not allowed to; any other refusal is told
    check_version(found[0]["version"] if found else BASE_VERSION)


def check_version(version: int) -> None:
    """Raise unless this code may work on a bus of that version."""
    if version == RESTORING:
        raise ConfigError(
            "a restore into this bus is not finished: wait for it, or begin it anew with "
            "`quantbus bus restore … --again`"
        )
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"expected a bus of schema version {SCHEMA_VERSION} or older, found {version}: a newer release has "
            "migrated it; install that release here too, or restore a backup from before (docs/upgrading.md)"
        )
