"""Whether a recipe can live: be evaluated by a worker at every bar close."""

from collections.abc import Iterator

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors import select
from quantbus_research.settings import PolicySettings, PublishSettings, Recipe
from quantbus_research.settings.nodes import (
    ArtefactType,
    DataSettings,
    FactorSettings,
    ModelSettings,
    NodeSettings,
    ScoreSettings,
    SelectionSettings,
)

__all__ = ["require_live"]

_OF_BARS = frozenset({"open", "high", "low", "close", "volume"})


def require_live(recipe: Recipe) -> None:
    """Refuse a recipe that a worker cannot evaluate.

    Raises
    ------
    ConfigError
        Naming everything that stands against it.
    """
    faults = list(_faults(recipe))
    if faults:
        raise ConfigError(
            f"recipe {recipe.strategy_id} cannot live in a loop: {'; '.join(faults)}; "
            "run it once with `quantbus research run`"
        )


def _faults(recipe: Recipe) -> Iterator[str]:
    if not any(isinstance(node, PublishSettings) for node in recipe.nodes.values()):
        yield "it has no node of kind 'publish', so it would say nothing"
    for name, data in recipe.leading(DataSettings).items():
        if data.source != "bus":
            yield f"node {name!r} reads {data.source}, and new bars come by the bus"
    for name, node in recipe.leading(NodeSettings).items():
        if node.makes is ArtefactType.SCORES and not isinstance(node, ModelSettings | ScoreSettings):
            yield f"node {name!r} of kind {node.kind!r} scores whole stretches, and cannot be asked about a new bar"
    speaking = len(recipe.leading(ModelSettings)) + len(recipe.leading(ScoreSettings))
    if speaking > 1:
        yield f"expected one node of kind 'model' or 'score' to speak, found {speaking}"
    deciding = len(recipe.leading(PolicySettings)) + len(recipe.leading(SelectionSettings))
    if deciding != 1:
        yield f"expected one node of kind 'rule' or 'selection' to decide, found {deciding}"
    if not recipe.leading(FactorSettings):
        return
    others = [
        factor.name for factor in select(recipe.factors.names) if not _OF_BARS.issuperset(factor.inputs)
    ]
    if others:
        yield f"the factors {', '.join(others)} need more than bars, and the worker reads nothing else"
