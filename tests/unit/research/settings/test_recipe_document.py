"""What the page about recipes shows is what there is."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_research.cli import app
from quantbus_research.factors import Vocabulary, factor_sets
from quantbus_research.settings import Recipe, RecipeSource, load_recipe
from quantbus_research.settings.nodes import KINDS
from quantbus_research.workflows import nodes

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "recipes.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found[0])


def load(text: str) -> Recipe:
    return load_recipe(RecipeSource("page.toml", text), factors=Vocabulary(), sets=factor_sets())


def test_its_recipe_is_valid() -> None:
    recipe = load(block("toml"))
    assert set(recipe.leading(KINDS["score"])) == {"opinion"}


def test_its_faults_are_told_as_it_shows_them() -> None:
    text = block("toml").replace('["ema_distance_20",', '["ema_distnce_20",')
    with pytest.raises(ConfigError) as first:
        load(text)
    text = block("toml").replace('inputs = ["opinion"]', 'inputs = ["seen"]')
    with pytest.raises(ConfigError) as others:
        load(text.replace('["policy", "gates"]', '["policy", "gate"]'))
    told = [line.strip() for error in (first, others) for line in str(error.value).splitlines()[1:]]
    shown = block("text").splitlines()
    assert [line for line in shown if line not in told] == []


def test_it_lists_every_kind_with_what_it_takes_and_makes() -> None:
    rows = {
        row[0]: row[1:3] for row in re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE)
    }
    assert rows == {
        name: (", ".join(map(str, kind.takes)) or "–", str(kind.makes)) for name, kind in KINDS.items()
    }


def test_every_kind_that_a_recipe_may_name_can_be_run() -> None:
    assert nodes.KINDS.keys() == KINDS.keys()


def test_it_names_the_options_of_run() -> None:
    told = set(re.findall(r"^\| `(--[a-z-]+)` \|", PAGE, re.MULTILINE))
    shown = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "200"}, terminal_width=200).output
    live = {"--loop", "--once", "--retrain", "--metrics-port", "--max-bars", "--shadow"}
    everywhere = {"--set", "--pairs", "--json", "--help"}
    assert told == set(re.findall(r"(?<!\S)--[a-z-]+", shown)) - live - everywhere
