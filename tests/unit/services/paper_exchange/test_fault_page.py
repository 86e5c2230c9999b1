"""The page of faults is the catalogue, and every fault has the test that it names."""

import ast
from pathlib import Path

import pytest

from quantbus_services.paper_exchange.faults.catalogue import CATALOGUE
from quantbus_services.paper_exchange.faults.pages import catalogue_json, catalogue_table, markdown_table
from quantbus_services.paper_exchange.faults.spec import FaultSpec

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- faults: generated -->\n", "<!-- faults: end -->"


def test_the_table_of_the_page_is_the_catalogue() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]

    assert shown.strip() == markdown_table().strip(), "paste markdown_table() between the marks"


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: str(spec.name))
def test_every_fault_has_the_test_that_it_names(spec: FaultSpec) -> None:
    path, _, name = spec.test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = [item.name for item in tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]

    assert name in tests


def test_the_catalogue_is_shown_whole() -> None:
    assert catalogue_table().row_count == len(CATALOGUE) == len(catalogue_json()["faults"])
