"""Settings: the recipe of a run and what is about the machine; built once, frozen, passed down."""

from quantbus_research.settings.graph import ancestors, levels
from quantbus_research.settings.market import MarketSettings
from quantbus_research.settings.nodes import (
    GateSettings,
    LabelSettings,
    ModelSettings,
    PolicySettings,
    PublishSettings,
    ShadowSettings,
)
from quantbus_research.settings.process import WorkerSettings
from quantbus_research.settings.recipe import Recipe
from quantbus_research.settings.recipe_file import RecipeSource, find_recipe, load_recipe, shipped_recipes

__all__ = [
    "GateSettings",
    "LabelSettings",
    "MarketSettings",
    "ModelSettings",
    "PolicySettings",
    "PublishSettings",
    "Recipe",
    "RecipeSource",
    "ShadowSettings",
    "WorkerSettings",
    "ancestors",
    "find_recipe",
    "levels",
    "load_recipe",
    "shipped_recipes",
]
