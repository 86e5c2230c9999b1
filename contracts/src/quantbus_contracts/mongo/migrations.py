"""Brings a bus that an older release laid out to the schema of this one, step by step; each step once, in order.

A new collection, index or validator needs no step of its own: `initialise` makes it. A step is for what stands
already and has to become something else. Steps may be run any number of times: whoever is killed in the middle of one
begins it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.layout import (
    LayoutReport,
    initialise,
    is_new,
    missing_parts,
    record_version,
    recorded_version,
)
from quantbus_contracts.mongo.schema_guard import BASE_VERSION, check_version

__all__ = ["MIGRATIONS", "Migration", "MigrationReport", "migrate", "pending_migrations"]

_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: the version that it leads to, what it does, and how; ``apply`` may be run any number of times."""

    version: int
    purpose: str
    apply: Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """From which version to which, by which steps, and what of the layout was made before them."""

    before: int
    after: int
    steps: tuple[str, ...]
    layout: LayoutReport | None
    missing: tuple[str, ...] = ()
    """Where nothing was to be written: what `initialise` would have made."""


def _let_refused_rows_go(connection: Connection) -> None:
    """Give the index over the time of refusal, which stood without one, its end."""
    name = "crypto_signals_rejected"
    change = {"name": "rejected_at_-1", "expireAfterSeconds": 90 * _DAY_SECONDS}
    connection.client[connection.names.of(name)].command("collMod", name, index=change)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(2, "refused rows (crypto_signals_rejected) are removed after 90 days", _let_refused_rows_go),
)
"""Every step there ever was, in the order of versions; none is changed or removed once it was released."""


def pending_migrations(
    connection: Connection, migrations: Sequence[Migration] = MIGRATIONS
) -> list[Migration]:
    """Return the steps that this bus still needs; one that nobody has laid out needs none.

    Raises
    ------
    ConfigError
        If the bus is newer than this code, or is being restored.
    """
    version = recorded_version(connection)
    check_version(version)
    steps = [step for step in migrations if step.version > version]
    return [] if steps and is_new(connection) else steps


def migrate(
    connection: Connection, *, what_if: bool = False, migrations: Sequence[Migration] = MIGRATIONS
) -> MigrationReport:
    """Lay out what is missing, then take each pending step and write down that it is done.

    Raises
    ------
    ConfigError
        If the bus is newer than this code, or is being restored.
    """
    pending = pending_migrations(connection, migrations)
    before = recorded_version(connection)
    told = tuple(f"{step.version}: {step.purpose}" for step in pending)
    if what_if:
        after = pending[-1].version if pending else before
        return MigrationReport(before, after, told, None, tuple(missing_parts(connection)))
    layout = initialise(connection)
    if before == BASE_VERSION and recorded_version(connection) == BASE_VERSION:  # not laid out just now
        record_version(connection, BASE_VERSION, "laid out before versions were recorded")
    for step in pending:
        if recorded_version(connection) >= step.version:  # somebody else migrates as well, and was faster
            continue
        with translated_errors():
            step.apply(connection)
        record_version(connection, step.version, step.purpose)
    return MigrationReport(before, recorded_version(connection), told, layout)
