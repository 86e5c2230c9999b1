"""Every key is explained, and the page says what the files and the settings say."""

import re
from pathlib import Path

import pytest

from quantbus_executor.configs.explained import SHIPPED, explanations, flat, settings_table, shipped_table
from quantbus_executor.configs.reading import read_config
from quantbus_executor.settings import BLOCK, ENVIRONMENT_NAMES, setting_keys

ROOT = Path(__file__).resolve().parents[3]
USERDIR = ROOT / "executor/user_data"
PAGE = (ROOT / "docs/bot-settings.md").read_text(encoding="utf-8")
REMEDY = "explain it in configs/explained.py, then paste `quantbus executor keys --markdown` into the page"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_key_of_the_configs_that_ship_is_explained(name: str) -> None:
    keys = {key for key, _ in flat(read_config(USERDIR / name))}
    assert keys - set(explanations()) == set(), REMEDY


def test_every_setting_of_the_bot_is_explained_and_no_other() -> None:
    ours = {key.removeprefix(f"{BLOCK}.") for key in explanations() if key.startswith(f"{BLOCK}.")}
    assert ours == set(setting_keys()), REMEDY


def test_no_key_is_explained_that_neither_ships_nor_is_a_setting() -> None:
    shipped = {key for name in SHIPPED for key, _ in flat(read_config(USERDIR / name))}
    settings = {f"{BLOCK}.{key}" for key in setting_keys()}
    assert set(explanations()) - shipped - settings == set()


@pytest.mark.parametrize("table", [settings_table(), shipped_table(USERDIR)], ids=["settings", "shipped"])
def test_the_page_holds_the_tables_as_they_are_made(table: str) -> None:
    assert table in PAGE, REMEDY


def test_every_variable_that_outranks_a_setting_is_in_the_template() -> None:
    template = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#? ?(EXT_SIG_[A-Z_]+)=", template, re.MULTILINE))
    assert named == set(ENVIRONMENT_NAMES)
