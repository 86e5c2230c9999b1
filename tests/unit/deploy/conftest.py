"""Tools that are not Python packages; `.ci/run` sets REQUIRE_TEST_TOOLS, and then their absence is a failure."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        told = "promtool is absent: install Prometheus (Debian and Ubuntu: apt-get install prometheus)"
        if os.environ.get("REQUIRE_TEST_TOOLS"):
            pytest.fail(told)
        pytest.skip(told)
    return found
