"""What one entry of the table says."""

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CollectionSpec", "Database", "Index", "Party"]

Database = Literal["market", "signals", "trading"]
Party = Literal[
    "ingestion", "research", "gateway", "executor", "account", "monitor", "operator", "migrations"
]
"""Who reads and writes: the processes, the operator at the command line, and what lays the bus out."""
Writer = Party | Literal["every process"]


@dataclass(frozen=True, slots=True)
class Index:
    """One index: fields with direction, in order."""

    fields: tuple[tuple[str, int], ...]
    unique: bool = False
    kept_days: int | None = None
    """After how many days the database removes rows, by the index's one field, a time; None: never."""

    @property
    def name(self) -> str:
        """MongoDB's own default name."""
        return "_".join(f"{name}_{direction}" for name, direction in self.fields)


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """One collection. ``key`` is the unique key; empty means that rows have none.

    Whoever writes a collection reads it too, since a write looks at what stands; not so where rows are only
    ever added (``append_only``: no role may change them). ``read_by`` names those who read besides. What stands in
    a hint (``is_hint``) may be lost: writes to it wait for no journal and no majority.
    """

    name: str
    database: Database
    purpose: str
    key: tuple[str, ...]
    written_by: tuple[Writer, ...]
    validator: dict[str, Any]
    further_indexes: tuple[Index, ...] = field(default=())
    read_by: tuple[Party, ...] = ("monitor", "operator")
    append_only: bool = False
    is_hint: bool = False

    @property
    def indexes(self) -> tuple[Index, ...]:
        """The unique index of the key, then the others."""
        unique = (Index(tuple((name, 1) for name in self.key), unique=True),) if self.key else ()
        return unique + self.further_indexes
