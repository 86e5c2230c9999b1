"""One node of a run as a task: all that another process needs to do it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from quantbus_contracts.errors import ArtefactError, QuantbusError
from quantbus_research.settings.nodes import NodeSettings
from quantbus_research.workflows.nodes import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.runs.store import ArtefactStore, Stored

__all__ = ["Failed", "Made", "Task", "attempt", "do", "made_by"]


@dataclass(frozen=True, slots=True)
class Task:
    """A node with everything it needs, its inputs by the keys they lie under."""

    name: str
    key: str | None
    """Under which the artefact is kept; None if only its content says it."""
    kind: NodeKind
    settings: NodeSettings
    context: Context
    inputs: tuple[str, ...]
    store: Path


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a task."""

    name: str
    key: str
    stored: Stored
    seconds: float
    was_damaged: bool = False
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Why nothing came of a task."""

    name: str
    error: QuantbusError
    seconds: float


def do(task: Task) -> Made:
    """Do a task whose key is known, and store what it makes."""
    store, started = ArtefactStore(task.store), time.monotonic()
    if task.key is None:
        raise ArtefactError(f"expected the key of node {task.name}, found none")
    before, was_damaged = store.find(task.key), store.is_damaged(task.key)
    stored = store.save(task.key, made_by(task, store))
    differs = before is not None and before.sha256 != stored.sha256
    return Made(task.name, task.key, stored, time.monotonic() - started, was_damaged, differs)


def attempt(task: Task) -> Made | Failed:
    """Do a task, and return what kept it from being done, so that others that are being done go on."""
    started = time.monotonic()
    try:
        return do(task)
    except QuantbusError as error:
        return Failed(task.name, error, time.monotonic() - started)


def made_by(task: Task, store: ArtefactStore, read: Callable[[str], Artefact] | None = None) -> Artefact:
    """Run a node on its inputs.

    Raises
    ------
    ArtefactError
        If it makes something else than its kind says.
    """
    inputs = Inputs(tuple((read or store.read)(key) for key in task.inputs))
    # More threads may add up in another order: with one, every process comes to the same bits.
    with threadpool_limits(limits=1, user_api="blas"):
        artefact = task.kind.run(inputs, task.settings, task.context)
    if artefact.type is not task.settings.makes:
        raise ArtefactError(f"expected {task.settings.makes} of node {task.name}, found {artefact.type}")
    return artefact
