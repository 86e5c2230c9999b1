"""A small recipe for tests: the demo's, with less history and fewer trees."""

from quantbus_research.factors import catalogue
from quantbus_research.settings import Recipe, find_recipe, load_recipe

SMALL = (
    "nodes.bars.train_bars=400",
    "nodes.bars.min_train_bars=100",
    "nodes.model.rounds=10",
    "nodes.model.retrain_bars=10",
)


def make_recipe(*overrides: str) -> Recipe:
    """Return the demo recipe, made small, with overrides."""
    return load_recipe(find_recipe("demo"), factors=frozenset(catalogue()), overrides=[*SMALL, *overrides])
