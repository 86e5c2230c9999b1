"""What a run would run, take from the cache and publish; nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quantbus_research.settings import Recipe
from quantbus_research.workflows.nodes import Artefact, Context, Json, Reach
from quantbus_research.workflows.runs.keys import key_of_what_was_read, node_key
from quantbus_research.workflows.runs.runner import (
    CACHE,
    RunOptions,
    Surroundings,
    bars_end,
    chosen_nodes,
)
from quantbus_research.workflows.runs.store import ArtefactStore, identity_of
from quantbus_research.workflows.runs.tasks import Task, made_by

__all__ = ["Rehearsal", "rehearse_graph"]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a run would do.

    Attributes
    ----------
    nodes
        By name: whether it would be read, run, or taken from the cache, or would change what stands outside.
    published
        By node that writes: what it would write, as far as that can be said before what it waits for is run.
    """

    nodes: Mapping[str, Literal["read", "run", "cached", "write"]]
    published: Mapping[str, Artefact]


def rehearse_graph(
    recipe: Recipe, where: Surroundings, *, as_of: datetime | None = None, options: RunOptions | None = None
) -> Rehearsal:
    """Go through a run without running anything but what reads.

    Raises
    ------
    ConfigError
        As a run would.
    """
    chosen = options or RunOptions()
    names = chosen_nodes(recipe, chosen.only, where.kinds)
    timeframe = recipe.market.bars
    moment = timeframe.close_of(timeframe.last_closed(as_of or where.clock.now()))
    store = ArtefactStore(where.home / CACHE)
    read: dict[str, Artefact] = {}
    keys: dict[str, str] = {}
    facts: dict[str, Mapping[str, Json]] = {}
    told: dict[str, Literal["read", "run", "cached", "write"]] = {}
    published: dict[str, Artefact] = {}

    def artefact_under(key: str) -> Artefact:
        return read[key] if key in read else store.read(key)

    for name in sorted(names, key=lambda item: where.kinds[recipe.nodes[item].kind].reach is Reach.WRITES):
        settings, kind = recipe.nodes[name], where.kinds[recipe.nodes[name].kind]
        inputs = tuple(keys[item] for item in settings.inputs)
        context = Context(recipe, moment, dry=True, open_session=where.open_session)
        task = Task(name, None, kind, settings, context, inputs, where.home / CACHE)
        if kind.reach is Reach.READS:
            found = made_by(task, store, artefact_under)
            keys[name] = key_of_what_was_read(kind, identity_of(found).sha256)
            read[keys[name]], facts[name], told[name] = found, found.facts, "read"
        elif kind.reach is Reach.NOWHERE:
            end = bars_end(recipe, name, facts, moment)
            keys[name] = node_key(kind, settings, recipe.market, inputs, end)
            told[name] = "run" if chosen.cold or store.find(keys[name]) is None else "cached"
        else:
            told[name] = "write"
            if all(told[item] in ("read", "cached") for item in settings.inputs):
                published[name] = made_by(task, store, artefact_under)
    return Rehearsal(told, published)
