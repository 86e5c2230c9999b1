"""What has the right name in a database and is something else."""

from typing import Any

import pytest

from quantbus_contracts.collections import Index
from quantbus_contracts.mongo.layout_facts import index_fault, validator_fault

KEY = Index((("symbol", 1), ("date", -1)), unique=True)
FOUND: dict[str, Any] = {"key": {"symbol": 1, "date": -1}, "unique": True}
KEPT = Index((("at", 1),), kept_days=2)


def test_an_index_as_in_the_table_has_no_fault() -> None:
    assert index_fault(FOUND, KEY) is None
    assert index_fault({"key": {"at": 1.0}, "expireAfterSeconds": 172_800}, KEPT) is None


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        (None, KEY, "not there"),
        (FOUND | {"key": {"date": -1, "symbol": 1}}, KEY, "other fields"),
        (FOUND | {"unique": False}, KEY, "not unique"),
        (FOUND | {"expireAfterSeconds": 60}, KEY, "removes rows"),
        (FOUND | {"partialFilterExpression": {"a": 1}}, KEY, "leaves rows out"),
        (FOUND | {"key": {"symbol": 1, "date": "hashed"}}, KEY, "other fields"),
        (FOUND | {"collation": {"locale": "en", "strength": 2}}, KEY, "as people do"),
        (FOUND | {"hidden": True}, KEY, "hidden"),
        ({"key": {"at": 1}, "expireAfterSeconds": 60}, KEPT, "another time"),
        ({"key": {"at": 1}, "expireAfterSeconds": 172_800, "unique": True}, KEPT, "should not be"),
    ],
)
def test_an_index_that_is_something_else_is_told(found: Any, wanted: Index, told: str) -> None:
    assert told in (index_fault(found, wanted) or "")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "not there"),
        ({"validator": {"a": 2}}, "another"),
        ({"validator": {"a": 1}, "validationAction": "warn"}, "only warns"),
        ({"validator": {"a": 1}, "validationLevel": "moderate"}, "every write"),
    ],
)
def test_a_validator_that_lets_rows_pass_is_told(options: dict[str, Any], told: str) -> None:
    assert told in (validator_fault(options, {"a": 1}) or "")
    assert validator_fault({"validator": {"a": 1}, "validationLevel": "strict"}, {"a": 1}) is None
