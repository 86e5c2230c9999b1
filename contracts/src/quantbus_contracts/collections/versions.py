"""Which schema the bus has: one row for each version it was brought to; part of the trading database."""

from quantbus_contracts.collections._spec import CollectionSpec, Party
from quantbus_contracts.validators import closed, count, moment, text

__all__ = ["VERSIONS"]

_EVERYONE: tuple[Party, ...] = (
    *("ingestion", "research", "gateway", "executor", "account", "monitor", "operator", "migrations"),
)

_VERSIONS = CollectionSpec(
    name="schema_version",
    database="trading",
    purpose="a version of the schema that this bus was brought to, and when; only ever added to",
    key=("version",),
    written_by=("migrations",),
    read_by=_EVERYONE,
    append_only=True,
    validator=closed(
        {
            "version": count(2**31 - 1, least=1),
            "purpose": text(at_most=300),
            "at": moment(),
        }
    ),
)

VERSIONS: tuple[CollectionSpec, ...] = (_VERSIONS,)
