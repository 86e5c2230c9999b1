"""Runs the graph of a recipe: level by level, from the cache where it can, what writes last."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from joblib import Parallel, delayed

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError
from quantbus_research.settings import Recipe, ancestors, levels
from quantbus_research.settings.nodes import ArtefactType
from quantbus_research.workflows.meaning import meaning_hash
from quantbus_research.workflows.nodes import AS_OF, KINDS, Artefact, Context, Json, NodeKind, Reach
from quantbus_research.workflows.nodes._base import IDLE_SECONDS
from quantbus_research.workflows.runs.folder import RunFolder, cut_off_run, open_run
from quantbus_research.workflows.runs.keys import key_of_what_was_read, node_key
from quantbus_research.workflows.runs.manifest import (
    Done,
    Outcome,
    RunManifest,
    essence_of,
    published_of,
    refused_by,
)
from quantbus_research.workflows.runs.store import ArtefactStore, Stored, identity_of
from quantbus_research.workflows.runs.tasks import Failed, Made, Task, attempt, do, made_by
from quantbus_research.workflows.session import Session

__all__ = ["CACHE", "RUNS", "Observer", "RunOptions", "RunReport", "Surroundings", "run_graph"]

CACHE, RUNS = Path("cache") / "nodes", Path("runs")
"""Below ``QUANTBUS_HOME``."""


class Observer(Protocol):
    """Is told how a run goes on."""

    def started(self, name: str) -> None:
        """Hear that a node is being worked on."""
        ...

    def ended(self, name: str, done: Done, rows: int) -> None:
        """Hear what became of a node."""
        ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run goes about it; nothing of it changes what comes out.

    Attributes
    ----------
    jobs
        How many nodes, or parts of one, at a time.
    cold
        Take nothing from the cache; what comes out is compared with what is there.
    dry
        Do everything but change what stands outside.
    only
        This node and those it waits for.
    resume
        Go on with the newest run of this recipe that was cut off, as of the moment it began.
    """

    jobs: int = 1
    cold: bool = False
    dry: bool = False
    only: str | None = None
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a run takes place."""

    home: Path
    clock: Clock
    open_session: Callable[[], Session]
    kinds: Mapping[str, NodeKind] = field(default_factory=lambda: KINDS)


@dataclass(frozen=True, slots=True)
class RunReport:
    """What came of a run."""

    folder: Path
    manifest: RunManifest
    artefacts: Mapping[str, Artefact]
    """Of the nodes that say something to people: verdicts, signals, files; by node."""
    files: tuple[Path, ...]
    resumed: bool

    @property
    def refused(self) -> bool:
        """Whether a gate said no."""
        return bool(self.manifest.refused)


def run_graph(
    recipe: Recipe,
    where: Surroundings,
    observer: Observer,
    *,
    as_of: datetime | None = None,
    options: RunOptions | None = None,
) -> RunReport:
    """Run the nodes of a recipe over the bars that are closed now, or were at ``as_of``.

    Raises
    ------
    ConfigError
        If a node cannot be run, or finds its settings or bars wanting. What is done until then stays in the cache.
    """
    chosen = options or RunOptions()
    nodes = chosen_nodes(recipe, chosen.only, where.kinds)
    root = where.home / RUNS
    former = cut_off_run(root, recipe) if chosen.resume else None
    moment = former[1].as_of if former else (as_of or where.clock.now())
    with open_run(root, recipe, moment, former[0] if former else None) as folder:
        run = _Run(recipe, nodes, where, observer, chosen, folder, moment)
        with run.told():
            run.go()
        return run.report(resumed=former is not None)


def chosen_nodes(recipe: Recipe, only: str | None, kinds: Mapping[str, NodeKind]) -> tuple[str, ...]:
    """Return the nodes to run, in an order in which they can be.

    Raises
    ------
    ConfigError
        If there is no such node, or nothing is known of a kind.
    """
    if only is not None and only not in recipe.nodes:
        raise ConfigError(f"--only: expected one of {', '.join(recipe.nodes)}, found {only!r}")
    wanted = set(recipe.nodes) if only is None else set(ancestors(recipe.nodes, only))
    unknown = sorted({recipe.nodes[name].kind for name in wanted} - kinds.keys())
    if unknown:
        raise ConfigError(f"expected nodes of kinds {', '.join(kinds)}, found {', '.join(unknown)}")
    return tuple(name for level in levels(recipe.nodes) for name in level if name in wanted)


class _Run:
    """A run as it goes on."""

    def __init__(  # the parts of one run, put together in one place
        self,
        recipe: Recipe,
        nodes: Sequence[str],
        where: Surroundings,
        observer: Observer,
        options: RunOptions,
        folder: RunFolder,
        moment: datetime,
    ) -> None:
        self._recipe = recipe
        self._where = where
        self._observer = observer
        self._options = options
        self._folder = folder
        self._store = ArtefactStore(where.home / CACHE)
        timeframe = recipe.market.bars
        self._as_of = timeframe.close_of(timeframe.last_closed(moment))
        self._nodes = nodes
        self._made: dict[str, tuple[str, Stored]] = {}
        self._done: dict[str, Done] = {}
        self._written: dict[str, Artefact] = {}
        self._manifest = RunManifest(
            run_id=folder.run_id,
            strategy_id=recipe.strategy_id,
            state="running",
            started_at=where.clock.now(),
            meaning=meaning_hash(recipe),
            as_of=moment,
            jobs=options.jobs,
            only=options.only,
        )

    def go(self) -> None:
        """Run all nodes."""
        self._folder.write(self._manifest)
        writing = [name for name in self._nodes if self._kind(name).reach is Reach.WRITES]
        for level in levels({name: self._recipe.nodes[name] for name in self._nodes}):
            self._read([name for name in level if self._kind(name).reach is Reach.READS])
            self._compute([name for name in level if self._kind(name).reach is Reach.NOWHERE])
        for name in writing:
            self._write(name)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Write down how it ended, whatever ends it."""
        ended = False
        try:
            yield
            ended = True
        finally:
            refused = refused_by(self._made)
            state = "failed" if not ended else "refused" if refused else "done"
            self._note(state=state, refused=refused, finished_at=self._where.clock.now())

    def report(self, *, resumed: bool) -> RunReport:
        """Say what came of it."""
        spoken = (ArtefactType.VERDICTS, ArtefactType.FILES)
        artefacts = {
            name: self._store.read(key) for name, (key, made) in self._made.items() if made.type in spoken
        }
        artefacts |= self._written
        files = [path for name, artefact in artefacts.items() for path in self._folder.keep(name, artefact)]
        return RunReport(self._folder.path, self._manifest, artefacts, tuple(files), resumed)

    def _read(self, names: Sequence[str]) -> None:
        for name in names:
            with self._watched(name) as seconds:
                artefact = made_by(self._task(name), self._store)
                key = key_of_what_was_read(self._kind(name), identity_of(artefact).sha256)
                stored = self._store.save(key, artefact)
                self._settle(Made(name, key, stored, seconds()))

    def _compute(self, names: Sequence[str]) -> None:
        tasks = []
        for name in names:
            task = self._task(name)
            found = (
                None if self._options.cold else self._store.find(str(task.key), now=self._where.clock.now())
            )
            if found is None:
                tasks.append(task)
            else:
                self._settle(Made(name, str(task.key), found, 0.0), Outcome.CACHED)
        if len(tasks) < 2 or self._options.jobs == 1:
            for task in tasks:
                with self._watched(task.name):
                    self._settle(do(task))
            return
        for task in tasks:
            self._observer.started(task.name)
        # Each of several nodes at a time has one process; a node for itself may use them all.
        alone = [replace(task, context=replace(task.context, jobs=1)) for task in tasks]
        work = Parallel(
            n_jobs=min(self._options.jobs, len(tasks)),
            return_as="generator_unordered",
            idle_worker_timeout=IDLE_SECONDS,
        )
        failed: list[Failed] = []
        for made in work(delayed(attempt)(task) for task in alone):
            if isinstance(made, Failed):
                failed.append(made)
                self._end(made.name, Done(outcome=Outcome.FAILED, seconds=round(made.seconds, 3)), rows=0)
            else:
                self._settle(made)
        if failed:
            raise failed[0].error

    def _write(self, name: str) -> None:
        with self._watched(name) as seconds:
            artefact = made_by(self._task(name), self._store)
            stored = identity_of(artefact)
            self._written[name] = artefact
            key = key_of_what_was_read(self._kind(name), stored.without_facts.sha256)
            self._settle(Made(name, key, stored, seconds()))

    def _task(self, name: str) -> Task:
        kind, settings = self._kind(name), self._recipe.nodes[name]
        inputs = tuple(self._made[item][0] for item in settings.inputs)
        context = Context(
            self._recipe, self._as_of, self._options.jobs, self._options.dry, self._where.open_session
        )
        key = None
        if kind.reach is Reach.NOWHERE:
            facts = {item: made.facts for item, (_, made) in self._made.items()}
            as_of = bars_end(self._recipe, name, facts, self._as_of)
            context = Context(self._recipe.upstream(name), as_of, self._options.jobs, self._options.dry)
            key = node_key(kind, settings, self._recipe.market, inputs, as_of)
        return Task(name, key, kind, settings, context, inputs, self._where.home / CACHE)

    def _kind(self, name: str) -> NodeKind:
        return self._where.kinds[self._recipe.nodes[name].kind]

    @contextmanager
    def _watched(self, name: str) -> Iterator[Callable[[], float]]:
        """Tell the observer that a node is being worked on, and if nothing came of it."""
        began, before = time.monotonic(), len(self._done)
        self._observer.started(name)
        try:
            yield lambda: time.monotonic() - began
        finally:
            if len(self._done) == before:
                self._end(name, Done(outcome=Outcome.FAILED, seconds=time.monotonic() - began), rows=0)

    def _settle(self, made: Made, outcome: Outcome = Outcome.DONE) -> None:
        self._made[made.name] = (made.key, made.stored)
        done = Done(
            outcome=outcome,
            seconds=round(made.seconds, 3),
            mended=made.was_damaged,
            differs=made.differs,
        )
        self._end(made.name, done, rows=made.stored.rows)

    def _end(self, name: str, done: Done, *, rows: int) -> None:
        self._done[name] = done
        self._note()
        self._observer.ended(name, done, rows)

    def _note(self, **changes: object) -> None:
        essence = essence_of(self._recipe, self._as_of, self._made, self._where.kinds)
        told: dict[str, object] = {
            "nodes": dict(self._done),
            "essence": essence,
            "manifest_hash": essence.sha256,
            "published": published_of(self._recipe, self._made, self._where.kinds),
            **changes,
        }
        self._manifest = self._manifest.model_copy(update=told)
        self._folder.write(self._manifest)


def bars_end(
    recipe: Recipe, name: str, facts: Mapping[str, Mapping[str, Json]], otherwise: datetime
) -> datetime:
    """Return when the newest bar had closed of all that a node goes back to: later it knows nothing."""
    told = [facts[item].get(AS_OF) for item in ancestors(recipe.nodes, name) if item in facts]
    ends = [datetime.fromisoformat(moment) for moment in told if isinstance(moment, str)]
    return max(ends, default=otherwise)
