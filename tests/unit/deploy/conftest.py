"""Tools that are not Python packages; `.ci/run` sets REQUIRE_TEST_TOOLS, and then their absence is a failure."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        told = f"{name} is absent: install it (Debian and Ubuntu: apt-get install {package})"
        if os.environ.get("REQUIRE_TEST_TOOLS"):
            pytest.fail(told)
        pytest.skip(told)
    return found


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool", "prometheus")


@pytest.fixture(scope="session")
def amtool() -> str:
    return tool("amtool", "prometheus-alertmanager")
