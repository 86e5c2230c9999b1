"""A recipe: everything that decides what a strategy says; one frozen tree of typed nodes."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from quantbus_contracts.errors import ConfigError
from quantbus_research.settings.graph import ancestors, graph_faults
from quantbus_research.settings.group import Group
from quantbus_research.settings.market import MarketSettings
from quantbus_research.settings.nodes import (
    AnyNode,
    DataSettings,
    FactorSettings,
    GateSettings,
    LabelSettings,
    ModelSettings,
    NodeName,
    NodeSettings,
    PolicySettings,
    PublishSettings,
)

__all__ = ["GRAPH_FAULT", "Recipe"]

_USUAL_WAIT_SECONDS = 60.0
GRAPH_FAULT = "recipe_graph"
Settings = TypeVar("Settings", bound=NodeSettings)


class Recipe(Group):
    """One strategy, from candles to signals.

    ``data`` to ``gates`` are the settings of those nodes that lead to what is published (of all nodes, if none
    publishes): what a worker needs to say the same at every bar.
    """

    description: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    strategy_id: Annotated[
        str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$")
    ]
    """Also the name of folders: never dots alone."""
    market: MarketSettings
    nodes: Annotated[Mapping[NodeName, AnyNode], Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        faults = graph_faults(self.nodes)
        if faults:
            told = "; ".join(fault.reason for fault in faults)
            raise PydanticCustomError(GRAPH_FAULT, "{told}", {"told": told, "faults": faults})
        return self

    @cached_property
    def config_hash(self) -> str:
        """SHA-256 of the whole recipe with its defaults."""
        return _digest(self.model_dump(mode="json"))

    @cached_property
    def training_hash(self) -> str:
        """SHA-256 of the part that decides what the model becomes."""
        parts: list[NodeSettings] = [self.data, self.factors, self.label, self.model]
        market = self.market.model_dump(mode="json")
        return _digest({"market": market, **{part.kind: part.meaning() for part in parts}})

    @property
    def max_wait(self) -> timedelta:
        """How long after bar close the worker waits for candles; always less than half a bar."""
        wanted = self.publish.max_wait_seconds or _USUAL_WAIT_SECONDS
        return timedelta(seconds=min(wanted, 0.4 * self.market.bars.seconds))

    @cached_property
    def data(self) -> DataSettings:
        """The bars."""
        return self._the(DataSettings)

    @cached_property
    def factors(self) -> FactorSettings:
        """What is computed from them: of several such nodes all names, in order."""
        found = self.leading(FactorSettings)
        if len(found) < 2:
            return self._the(FactorSettings)
        names = dict.fromkeys(name for node in found.values() for name in node.names)
        return next(iter(found.values())).model_copy(update={"names": tuple(names)})

    @cached_property
    def label(self) -> LabelSettings:
        """What the model learns."""
        return self._the(LabelSettings)

    @cached_property
    def model(self) -> ModelSettings:
        """Who scores; see `has_model`."""
        return self._the(ModelSettings)

    @cached_property
    def policy(self) -> PolicySettings:
        """What becomes of scores."""
        return self._the(PolicySettings)

    @cached_property
    def publish(self) -> PublishSettings:
        """When and how it is said."""
        return next(iter(self._of(PublishSettings).values()), PublishSettings())

    @cached_property
    def gates(self) -> GateSettings:
        """What has to be shown before."""
        return next(iter(self._of(GateSettings).values()), GateSettings())

    @property
    def has_model(self) -> bool:
        """Whether a model speaks, which has to be trained; otherwise factors speak for themselves."""
        return bool(self.leading(ModelSettings))

    def leading(self, kind: type[Settings]) -> dict[str, Settings]:
        """Return the nodes of a kind among those that lead to what is published (all, if none publishes), by name."""
        last = next(iter(self._of(PublishSettings)), None)
        names = list(self.nodes) if last is None else ancestors(self.nodes, last)
        return {name: node for name, node in self._of(kind).items() if name in names}

    def upstream(self, name: str) -> "Recipe":
        """Return what a node and those before it say, in an order in which they can be run; without the names."""
        nodes = {other: self.nodes[other] for other in ancestors(self.nodes, name)}
        told = {other: node.model_dump() for other, node in nodes.items()}
        return Recipe.model_validate(
            {"description": "-", "strategy_id": "-", "market": self.market.model_dump(), "nodes": told}
        )

    def changed(self, kind: type[NodeSettings] | None = None, **values: object) -> "Recipe":
        """Return the recipe with other values in the market, or in every node of a kind.

        Made anew, not copied: a copy would keep the hashes that were computed for the former values.
        """
        told = self.model_dump()
        if kind is None:
            told["market"] |= values
        for name in self._of(kind) if kind is not None else ():
            told["nodes"][name] |= values
        return Recipe.model_validate(told)

    def _of(self, kind: type[Settings]) -> dict[str, Settings]:
        return {name: node for name, node in self.nodes.items() if isinstance(node, kind)}

    def _the(self, kind: type[Settings]) -> Settings:
        found = self.leading(kind)
        if len(found) != 1:
            wanted = str(kind.model_fields["kind"].default)
            told = ", ".join(map(repr, found)) or "none"
            raise ConfigError(
                f"expected one node of kind {wanted!r} among those that lead to what recipe {self.strategy_id} "
                f"publishes, found {told}"
            )
        return next(iter(found.values()))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
