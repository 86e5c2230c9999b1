"""What stands otherwise than in the table: also what has the right name and is something else."""

from collections.abc import Mapping
from dataclasses import dataclass

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec, Index
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.steps import Row

__all__ = ["forgets_by_itself", "index_fault", "lasting_faults", "layout_faults", "validator_fault"]

_DAY_SECONDS = 86_400
_NOT_THERE = "is not there"


@dataclass(frozen=True, slots=True)
class _Fault:
    line: str
    lasts: bool = True
    """Whether no initialisation mends it."""


def layout_faults(connection: Connection) -> list[str]:
    """Return ``collection: what`` lines; the first word of what is ``collection``, ``validator`` or ``index``."""
    return [fault.line for fault in _faults(connection)]


def lasting_faults(connection: Connection) -> list[str]:
    """Return those faults that no initialisation mends: what stands by a name of ours and is something else.

    An index that the table does not know may be one of a newer release, which a rolled-back one has to live with.
    """
    return [fault.line for fault in _faults(connection) if fault.lasts]


def _faults(connection: Connection) -> list[_Fault]:
    faults: list[_Fault] = []
    with translated_errors():
        for name in dict.fromkeys(connection.names.of(spec.name) for spec in COLLECTIONS):
            options = {str(one["name"]): one["options"] for one in connection.client[name].list_collections()}
            for spec in COLLECTIONS:
                if connection.names.of(spec.name) == name:
                    faults += _faults_of(connection, spec, options.get(spec.name))
    return faults


def _faults_of(connection: Connection, spec: CollectionSpec, options: Row | None) -> list[_Fault]:
    if options is None:
        return [_Fault(f"{spec.name}: collection {_NOT_THERE}", lasts=False)]
    if "viewOn" in options or "timeseries" in options:
        return [_Fault(f"{spec.name}: collection is a view or a time series, which take no unique key")]
    told = validator_fault(options, spec.validator)
    faults = [_Fault(f"{spec.name}: validator {told}", lasts=False)] if told else []
    if forgets_by_itself(options):
        faults.append(_Fault(f"{spec.name}: collection forgets its oldest rows by itself"))
    collection = connection.client[connection.names.of(spec.name)][spec.name]
    stands = {str(index["name"]): index for index in collection.list_indexes()}
    for index in spec.indexes:
        told = index_fault(stands.get(index.name), index)
        if told:
            faults.append(_Fault(f"{spec.name}: index {index.name} {told}", lasts=index.name in stands))
    ours = {"_id_", *(index.name for index in spec.indexes)}
    faults += [
        _Fault(
            f"{spec.name}: index {name} is not in the table, and refuses rows that it calls the same",
            lasts=False,
        )
        for name, index in stands.items()
        if name not in ours and index.get("unique")
    ]
    return faults


def forgets_by_itself(options: Mapping[str, object]) -> bool:
    """Tell whether a collection removes documents without an index that says so."""
    return bool(options.get("capped")) or options.get("expireAfterSeconds") is not None


def validator_fault(options: Mapping[str, object], wanted: Row) -> str | None:
    """Say what is wrong with a collection's validator; None: it refuses what it should."""
    if not options.get("validator"):
        return _NOT_THERE
    if options["validator"] != wanted:
        return "is another"
    if options.get("validationAction", "error") == "warn":
        return "only warns"
    if options.get("validationLevel", "strict") != "strict":
        return "does not look at every write"
    return None


def index_fault(found: Mapping[str, object] | None, wanted: Index) -> str | None:
    """Say what is wrong with the index of that name; None: nothing."""
    if found is None:
        return _NOT_THERE
    key = found["key"]
    fields = tuple(key.items()) if isinstance(key, Mapping) else ()
    if fields != wanted.fields:  # a direction may also be a word, as of a hashed or a text index
        return "is over other fields"
    if bool(found.get("unique")) != wanted.unique:
        return "is not unique" if wanted.unique else "is unique and should not be"
    lasting = None if wanted.kept_days is None else wanted.kept_days * _DAY_SECONDS
    if found.get("expireAfterSeconds") != lasting:
        return "removes rows after another time" if lasting else "removes rows and should not"
    if found.get("partialFilterExpression") or found.get("sparse"):
        return "leaves rows out"
    if found.get("collation"):
        return "compares text as people do"
    if found.get("hidden"):
        return "is hidden from every question"
    return None
