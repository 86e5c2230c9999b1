"""Documents promise only what is there."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from quantbus_contracts.collections import COLLECTIONS
from quantbus_contracts.runtime.settings import KNOWN_NAMES
from tests.architecture.tree import MEMBERS, ROOT

LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("*/README.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
    ]
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [target for target in LINK.findall(text) if not (document.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_only_settings_that_exist(document: Path) -> None:
    named = set(re.findall(r"\bQUANTBUS_[A-Z0-9_]*[A-Z0-9]\b", document.read_text(encoding="utf-8")))
    assert named - set(KNOWN_NAMES) == set()


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    files = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    for file in files:
        text = file.read_text(encoding="utf-8")
        for part in ("Area:", "## Context", "## Decision", "## Consequences", "## Alternatives"):
            assert part in text, f"{file.name} lacks {part}"


def test_the_documentation_lists_every_collection() -> None:
    text = (ROOT / "docs" / "signal-bus.md").read_text(encoding="utf-8")
    missing = [
        spec.name
        for spec in COLLECTIONS
        if f"`{spec.name}`" not in text and "crypto_market_" not in spec.name
    ]
    assert not missing


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z0-9-]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_the_notices_name_every_direct_dependency() -> None:
    text = (ROOT / "THIRD_PARTY_NOTICES.md").read_text(encoding="utf-8")
    named = set()
    for member in MEMBERS:
        project = tomllib.loads((ROOT / member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lists = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
        named |= {Requirement(item).name for group in lists for item in group}
    missing = {name for name in named if not name.startswith("quantbus") and name not in text}
    assert missing == set()
