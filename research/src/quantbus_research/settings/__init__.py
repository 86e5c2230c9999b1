"""Settings: the recipe of a run; built once, frozen, passed down."""

from quantbus_research.settings.recipe import (
    LabelSettings,
    MarketSettings,
    ModelSettings,
    PolicySettings,
    PublishSettings,
    Recipe,
)
from quantbus_research.settings.recipe_file import RecipeSource, find_recipe, load_recipe, shipped_recipes

__all__ = [
    "LabelSettings",
    "MarketSettings",
    "ModelSettings",
    "PolicySettings",
    "PublishSettings",
    "Recipe",
    "RecipeSource",
    "find_recipe",
    "load_recipe",
    "shipped_recipes",
]
