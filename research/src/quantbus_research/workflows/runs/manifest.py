"""The manifest of a run: what went in, which code and libraries ran, and what came out, with hashes."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from quantbus_research.registry import code_version
from quantbus_research.settings import Recipe
from quantbus_research.workflows.meaning import meaning_of
from quantbus_research.workflows.nodes import KINDS, PASSED, SNAPSHOT, NodeKind, Reach
from quantbus_research.workflows.runs.keys import installed_hash, library_versions
from quantbus_research.workflows.runs.store import Stored

__all__ = ["Done", "Essence", "NodeEssence", "Outcome", "RunManifest", "essence_of", "seeds_of"]


class Outcome(StrEnum):
    """What became of a node in one run."""

    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Done(_Frozen):
    """How a node went in this run; not the same in another."""

    outcome: Outcome
    seconds: float
    mended: bool = False
    """Its artefact in the cache was damaged, and was made again."""
    differs: bool = False
    """It was in the cache already and came out otherwise: the kind does not say everything that it depends on."""


class NodeEssence(_Frozen):
    """What a node is and made."""

    kind: str
    key: str
    sha256: str
    rows: int
    files: Mapping[str, str]


class Essence(_Frozen):
    """What is the same in every run over the same bars, by the same recipe, code and libraries."""

    recipe: Mapping[str, object]
    """With its defaults, without what changes only how it is computed."""
    as_of: datetime
    inputs: Mapping[str, str]
    """By node that reads: the snapshot's id, or the hash of what was read."""
    seeds: Mapping[str, int]
    code: str
    libraries: Mapping[str, str]
    installed: str
    """Hash of the name and version of everything that is installed."""
    nodes: Mapping[str, NodeEssence]

    @property
    def sha256(self) -> str:
        """SHA-256 of all of it."""
        told = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()


class RunManifest(_Frozen):
    """Stands as ``run.json`` in the folder of a run, from its start on."""

    format: int = 1
    run_id: str
    strategy_id: str
    state: Literal["running", "done", "refused", "failed"]
    started_at: datetime
    finished_at: datetime | None = None
    meaning: str
    """Hash of the recipe without what changes only how it is computed: what `--resume` goes by."""
    as_of: datetime
    """The moment that was asked for; the essence names the close of the newest bar."""
    jobs: int
    only: str | None = None
    essence: Essence | None = None
    """Of the nodes that are done so far."""
    manifest_hash: str | None = None
    """Of the essence; two runs with the same one made the same, bit for bit."""
    published: Mapping[str, NodeEssence] = {}
    """Of the nodes that write. What they say depends on what stands on the bus, and on whether it is live; so it is no
    part of the essence."""
    refused: tuple[str, ...] = ()
    """Nodes that said no."""
    nodes: Mapping[str, Done] = {}


def seeds_of(recipe: Recipe) -> dict[str, int]:
    """Return the seed of every node that has one."""
    told = {name: node.meaning().get("seed") for name, node in recipe.nodes.items()}
    return {name: seed for name, seed in told.items() if isinstance(seed, int)}


def essence_of(
    recipe: Recipe,
    as_of: datetime,
    stored: Mapping[str, tuple[str, Stored]],
    kinds: Mapping[str, NodeKind] = KINDS,
) -> Essence:
    """Say what nodes (key and artefact by name) have made; without those that write."""
    chosen = {name: kinds[recipe.nodes[name].kind] for name in stored}
    kept = {name: kind for name, kind in chosen.items() if kind.reach is not Reach.WRITES}
    inputs = {
        name: str(stored[name][1].facts.get(SNAPSHOT, stored[name][1].sha256))
        for name, kind in kept.items()
        if kind.reach is Reach.READS
    }
    return Essence(
        recipe=meaning_of(recipe),
        as_of=as_of,
        inputs=inputs,
        seeds={name: seed for name, seed in seeds_of(recipe).items() if name in kept},
        code=code_version(),
        libraries=library_versions(
            ["pyarrow", *(library for kind in kept.values() for library in kind.libraries)]
        ),
        installed=installed_hash(),
        nodes={name: _of_node(kept[name], *stored[name]) for name in sorted(kept)},
    )


def published_of(
    recipe: Recipe, stored: Mapping[str, tuple[str, Stored]], kinds: Mapping[str, NodeKind]
) -> dict[str, NodeEssence]:
    """Say what the nodes that write have written: tables and texts, not what became of them."""
    chosen = {name: kinds[recipe.nodes[name].kind] for name in stored}
    return {
        name: _of_node(kind, stored[name][0], stored[name][1].without_facts)
        for name, kind in chosen.items()
        if kind.reach is Reach.WRITES
    }


def _of_node(kind: NodeKind, key: str, made: Stored) -> NodeEssence:
    return NodeEssence(kind=kind.name, key=key, sha256=made.sha256, rows=made.rows, files=made.files)


def refused_by(stored: Mapping[str, tuple[str, Stored]]) -> tuple[str, ...]:
    """Return the nodes whose verdict is no."""
    return tuple(name for name, (_, made) in stored.items() if made.facts.get(PASSED) is False)
