"""Where the bus is: what a person is told who has not said it."""

import json
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.address import resolve_uri
from quantbus_contracts.runtime.settings import MongoSettings


def test_without_an_address_both_ways_to_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"QUANTBUS_MONGO_URI.*quantbus bus up") as refused:
        resolve_uri(MongoSettings(home=tmp_path))
    assert "stack" not in str(refused.value)


def test_a_stack_that_runs_here_is_offered_and_never_taken_unasked(tmp_path: Path) -> None:
    stack = tmp_path / "stack-synthetic"
    stack.mkdir()
    (stack / "bus.json").write_text(json.dumps({"uri": "mongodb://127.0.0.1:1"}))
    with pytest.raises(ConfigError, match="ask a stack of this machine") as refused:
        resolve_uri(MongoSettings(home=tmp_path))
    assert f"QUANTBUS_HOME={stack}" in str(refused.value)
    assert resolve_uri(MongoSettings(home=stack)) == "mongodb://127.0.0.1:1"
