"""Finds, reads and validates recipe files; each error names the line, the key and what was meant."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from quantbus_contracts.errors import ConfigError
from quantbus_research.settings.recipe import Recipe
from quantbus_research.settings.recipe_faults import describe_fault

__all__ = ["RecipeSource", "find_recipe", "load_recipe", "shipped_recipes"]

_FACTORS = "factors.toml"  # stands beside the recipes and is none


@dataclass(frozen=True, slots=True)
class RecipeSource:
    """The text of a recipe, and where it came from."""

    name: str
    text: str


def shipped_recipes() -> dict[str, RecipeSource]:
    """Return the recipes that come with quantbus, by name."""
    folder = files("quantbus_research") / "recipes"
    found = (entry for entry in folder.iterdir() if entry.name.endswith(".toml") and entry.name != _FACTORS)
    return {
        entry.name.removesuffix(".toml"): RecipeSource(str(entry), entry.read_text(encoding="utf-8"))
        for entry in sorted(found, key=lambda entry: entry.name)
    }


def find_recipe(name: str) -> RecipeSource:
    """Return the recipe at the path ``name``, or else the shipped one of that name.

    Raises
    ------
    ConfigError
        If there is neither; the shipped names are listed.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        try:
            return RecipeSource(str(path), path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise ConfigError(f"expected a recipe in UTF-8, found other bytes in {name!r}") from None
        except OSError as error:
            raise ConfigError(f"cannot read the recipe {name!r}: {error.strerror or error}") from None
    shipped = shipped_recipes()
    if name in shipped:
        return shipped[name]
    near = get_close_matches(name, shipped, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"expected the path of a TOML file or a shipped recipe ({', '.join(shipped)}), found {name!r}{hint}"
    )


def load_recipe(
    source: RecipeSource,
    *,
    factors: Collection[str],
    sets: Mapping[str, Sequence[str]] | None = None,
    overrides: Sequence[str] = (),
) -> Recipe:
    """Validate a recipe, with ``key.path=value`` overrides applied on top of the file.

    ``factors`` are those that there are, ``sets`` the names under which several of them go.

    Raises
    ------
    ConfigError
        Listing every fault with its line, and the nearest valid name where one is misspelt.
    """
    try:
        tree = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"recipe {source.name} is not TOML: {error}") from None
    overridden = dict(_parse_override(text) for text in overrides)
    for path, value in overridden.items():
        _set(tree, path, value)
    try:
        return Recipe.model_validate(tree, context={"factors": factors, "sets": sets or {}})
    except ValidationError as error:
        told = [
            line
            for fault in error.errors(include_url=False)
            for line in describe_fault(fault, source.text, overridden=overridden, factors=factors)
        ]
        raise ConfigError(
            f"recipe {source.name} has {len(told)} fault{'s' * (len(told) > 1)}; nothing was done:\n  "
            + "\n  ".join(told)
        ) from None


def _parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        raise ConfigError(f"expected --set key.path=value, found {text!r}")
    try:
        return path, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return path, value  # a bare word is a string: --set market.timeframe=5m


def _set(tree: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {'.'.join(path)}: {part!r} is a value, not a table")
    tree[path[-1]] = value
