"""The protocol of nodes: what flows between them, what a kind of node is, and what it is given to work with.

A kind is its settings (in `settings.nodes`) and one function::

    def run(inputs: Inputs, settings: FactorSettings, context: Context) -> Artefact: ...

    FACTORS = NodeKind(FactorSettings, run, libraries=("numpy", "pandas"), signatures=_signatures)

The function computes from its arguments only, so that what it returned once can be taken from the cache whenever all of
these are the same again: the settings, the inputs, the code it stands on (its module and everything that imports), the
versions of the libraries it names, and its signatures.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
from joblib import Parallel, delayed
from pydantic import JsonValue

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.settings.nodes import ArtefactType, NodeSettings

if TYPE_CHECKING:
    from quantbus_research.settings import Recipe
    from quantbus_research.workflows.session import Session

__all__ = [
    "AS_OF",
    "NEWEST",
    "PASSED",
    "SNAPSHOT",
    "Artefact",
    "Context",
    "Inputs",
    "Json",
    "NodeKind",
    "Reach",
]

Json = JsonValue
"""Numbers, strings, truth values, None, and lists and dicts of them."""
IDLE_SECONDS = 30
"""Processes that help a run end after so long without work, and within a minute of a run that was killed."""
Item = TypeVar("Item")
Result = TypeVar("Result")
AS_OF = "as_of"
"""The fact by which bars say when the newest of them had closed; nodes after them are given it as ``as_of``."""
NEWEST = "newest_bars"
"""The fact by which bars say which is the newest of each symbol, so that who publishes knows what is missing."""
PASSED = "passed"
"""The fact by which verdicts say yes or no (bool)."""
SNAPSHOT = "snapshot_id"
"""The fact by which bars say which they are; the manifest of a run names it."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a node made. It can be written and read again, bit for bit, and nothing in it is ever executed.

    Attributes
    ----------
    tables
        By name. Columns are float64, int64, bool, strings or times in UTC, and so are the levels of an index that has
        names; rows in an order that depends on the inputs only.
    texts
        By file name: models, pages, reports.
    facts
        Small values, ready for JSON. The same inputs give the same facts: no duration, no time of day.
    """

    type: ArtefactType
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of the largest table."""
        return max((len(table) for table in self.tables.values()), default=0)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table.

        Raises
        ------
        ArtefactError
            If it has none of that name.
        """
        if name not in self.tables:
            raise ArtefactError(f"expected a table {name!r} in {self.type}, found {', '.join(self.tables)!r}")
        return self.tables[name]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The artefacts of a node's inputs, in the order of the recipe; their number and types fit the kind."""

    artefacts: tuple[Artefact, ...] = ()

    def all(self, wanted: ArtefactType) -> tuple[Artefact, ...]:
        """Return those of a type."""
        return tuple(artefact for artefact in self.artefacts if artefact.type is wanted)

    def maybe(self, wanted: ArtefactType) -> Artefact | None:
        """Return the first of a type, if there is one."""
        return next(iter(self.all(wanted)), None)

    def one(self, wanted: ArtefactType) -> Artefact:
        """Return the first of a type that the kind says there has to be."""
        found = self.maybe(wanted)
        if found is None:
            raise ArtefactError(f"expected an input of type {wanted}, found {len(self.artefacts)} others")
        return found


class Reach(StrEnum):
    """How far a kind reaches beyond its arguments."""

    NOWHERE = "nowhere"
    """It computes; it may run in any process, and is taken from the cache."""
    READS = "reads"
    """It also reads what stands outside, through the session: run every time, and known by what it returns."""
    WRITES = "writes"
    """It also changes what stands outside: run once all other nodes are done, and never in a rehearsal."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a node is given besides inputs and settings.

    Attributes
    ----------
    recipe
        Of the recipe only what the node and those before it say; nobody else's settings, and no name.
        Kinds that reach beyond their arguments are given all of it.
    as_of
        When the newest bar had closed: what came later does not exist.
    jobs
        How many things may be done at once; the result does not depend on it.
    dry
        Return what would be done, and change nothing outside.
    session
        The bus, models and snapshots; opened at the first call. Only for kinds that reach beyond their arguments.
    """

    recipe: "Recipe"
    as_of: datetime
    jobs: int = 1
    dry: bool = False
    open_session: "Callable[[], Session] | None" = None

    def session(self) -> "Session":
        """Return the surroundings of the run."""
        if self.open_session is None:
            raise ConfigError("expected a kind of node that reaches beyond its arguments; declare its reach")
        return self.open_session()

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return ``work`` of each item (a symbol, a fold) in order, in several processes where jobs allow it.

        ``work`` stands at the top of a module, or is a `functools.partial` of such a function.
        """
        chosen = list(items)
        jobs = min(self.jobs, len(chosen))
        if jobs <= 1:
            return [work(item) for item in chosen]
        return list(
            Parallel(n_jobs=jobs, idle_worker_timeout=IDLE_SECONDS)(delayed(work)(item) for item in chosen)
        )


@dataclass(frozen=True, slots=True)
class NodeKind:
    """A kind of node.

    Attributes
    ----------
    settings
        What it can be told; its name, what it takes and what it makes.
    run
        ``(inputs, settings, context) -> artefact``, a function at the top of its module.
    libraries
        Distributions whose version may change what comes out.
    signatures
        ``settings -> values`` that change with the meaning of names in the settings (of factors: their signatures).
    """

    settings: type[NodeSettings]
    run: Callable[[Inputs, Any, Context], Artefact]
    libraries: tuple[str, ...] = ("numpy", "pandas")
    signatures: Callable[[Any], Mapping[str, str]] | None = None
    reach: Reach = Reach.NOWHERE

    @property
    def name(self) -> str:
        """As recipes spell it."""
        return str(self.settings.model_fields["kind"].default)
