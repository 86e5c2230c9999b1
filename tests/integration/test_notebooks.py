"""The notebooks run from top to bottom on a fresh bus, and show what they promise."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from tests.fixtures.command import Run, environment_of

pytestmark = pytest.mark.integration
FOLDER = Path(__file__).resolve().parents[2] / "research" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PNG = b"\x89PNG\r\n\x1a\n"


def cells_of(file: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return cells


def executed(notebook: Path, folder: Path, settings: MongoSettings) -> list[dict[str, Any]]:
    """Run a copy of the notebook with nbmake; return its cells with their outputs."""
    copy = folder / notebook.name
    shutil.copy(notebook, copy)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbmake", "--overwrite", "-q", "-c", "/dev/null", copy],
        cwd=folder,
        env=environment_of(settings),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
    return cells_of(copy)


def shown(cells: list[dict[str, Any]], kind: str) -> list[str]:
    found = [
        output["data"][kind]
        for cell in cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]
    return ["".join(item) if isinstance(item, list) else item for item in found]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(notebook: Path) -> None:
    assert [
        cell["id"] for cell in cells_of(notebook) if cell.get("outputs") or cell.get("execution_count")
    ] == []


def test_publishing_from_a_notebook(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path, quantbus: Run
) -> None:
    notebook = FOLDER / "publish_signals.ipynb"
    cells = executed(notebook, tmp_path, mongo_settings)
    reports = [html for html in shown(cells, "text/html") if html.startswith("<p><b>")]
    headings = [html.split("</b>")[0].removeprefix("<p><b>") for html in reports]
    assert [heading.split()[1].rstrip(",") for heading in headings] == [
        "inserted",
        "unchanged",
        "revised",
        "inserted",
    ]
    assert headings[-1] == "1 inserted, 3 rejected"
    pictures = [base64.b64decode(text) for text in shown(cells, "image/png")]
    assert [picture[:8] for picture in pictures] == [PNG]
    assert len(pictures[0]) > 10_000

    rows = connection.client[mongo_settings.signals_db]["crypto_signals"]
    assert rows.count_documents({}) > 1
    assert rows.count_documents({"origin": {"$ne": "backfill"}}) == 0, "nothing that a bot would trade"
    assert quantbus("audit", "verify", "--json").json["ok"] is True
