"""A library behind an extra is named where it is missing."""

import sys
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.settings.extras import load


def test_what_is_installed_is_loaded() -> None:
    assert load("json.decoder", extra="reports", purpose="a report").JSONDecoder


def test_what_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(
        ConfigError, match=r"a tear sheet needs nowhere_to_be_found, .*quantbus-research\[reports\]"
    ):
        load("nowhere_to_be_found.part", extra="reports", purpose="a tear sheet")


def test_a_library_that_itself_lacks_something_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import nowhere_to_be_found\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        load("half_there", extra="reports", purpose="a tear sheet")
