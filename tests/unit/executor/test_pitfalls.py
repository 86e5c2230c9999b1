"""Each of the fifty pitfalls is answered, by code or documents that are there and by tests that are there."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec
from quantbus_contracts.collections._spec import Index

PAGE = Path(__file__).resolve().parents[3] / "docs/pitfalls.md"
ROWS = {
    row[1]: row[0]
    for row in re.finditer(r"^\| (P\d\d) \|.*\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
}
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def test_all_fifty_are_there() -> None:
    assert list(ROWS) == [f"P{number:02}" for number in range(1, 51)]


@pytest.mark.parametrize("pitfall", ROWS)
def test_each_is_answered_by_something_and_shown_by_a_test_that_exists(pitfall: str) -> None:
    *_, where, shown = ROWS[pitfall].strip("| ").split(" | ")
    assert LINK.findall(where)
    tests = LINK.findall(shown)
    assert tests
    for name, target in tests:
        text = (PAGE.parent / target).read_text(encoding="utf-8")
        assert f"def test_{name.replace(' ', '_')}(" in text, f"{name}: not in {target}"


def test_no_row_that_a_trade_may_depend_on_expires() -> None:
    assert {field.name for field in fields(Index)} == {"fields", "unique", "kept_days"}
    assert not any("expire" in field.name for field in fields(CollectionSpec))
    expiring = {spec.name for spec in COLLECTIONS for index in spec.indexes if index.kept_days is not None}
    assert expiring == {"account_snapshots", "crypto_signals_rejected"}
