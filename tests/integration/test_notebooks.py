"""The notebooks run from top to bottom on a fresh bus, and show what they promise."""

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe
from tests.fixtures.command import Run, environment_of
from tests.unit.research.audits.worlds import COINS
from tests.unit.research.gates.worlds import moving_series
from tests.unit.research.panels import START, make_series

pytestmark = pytest.mark.integration
FOLDER = Path(__file__).resolve().parents[2] / "research" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
HOUR = Timeframe.parse("1h")
PNG = b"\x89PNG\r\n\x1a\n"


def cells_of(file: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return cells


def executed(
    notebook: Path, folder: Path, settings: MongoSettings, *, seconds: float = 110
) -> list[dict[str, Any]]:
    """Run a copy of the notebook with nbmake; return its cells with their outputs."""
    copy = folder / notebook.name
    shutil.copy(notebook, copy)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbmake", "--overwrite", "-q", "-c", "/dev/null", copy],
        cwd=folder,
        env=environment_of(settings),
        capture_output=True,
        text=True,
        timeout=seconds,
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
    pictures = pictures_of(cells)
    assert [picture[:8] for picture in pictures] == [PNG]
    assert len(pictures[0]) > 10_000

    rows = connection.client[mongo_settings.signals_db]["crypto_signals"]
    assert rows.count_documents({}) > 1
    assert rows.count_documents({"origin": {"$ne": "backfill"}}) == 0, "nothing that a bot would trade"
    assert quantbus("audit", "verify", "--json").json["ok"] is True


def pictures_of(cells: list[dict[str, Any]]) -> list[bytes]:
    return [base64.b64decode(text) for text in shown(cells, "image/png")]


def store(connection: Connection, symbol: str, bars: pd.DataFrame) -> None:
    """Store hourly bars, indexed by open time."""
    opened = pd.DatetimeIndex(bars.index).as_unit("ms").asi8
    columns = {name: bars[name].to_numpy("float64") for name in ("open", "high", "low", "close", "volume")}
    CandleWriter(connection).write_columns(
        CandleColumns(symbol=symbol, timeframe=HOUR, source="test", open_times_ms=opened, **columns)
    )


def made_up(connection: Connection) -> None:
    """Store six weeks of coins that go on as they went."""
    hours = 1_000
    for seed, name in enumerate(COINS):
        moves = moving_series(hours, seed=seed, memory=0.4)
        store(
            connection,
            f"BINANCE:{name}USDT",
            moves.set_axis(make_series(hours, start=START, timeframe=HOUR).index),
        )


def recorded(connection: Connection, shared_data: Path) -> None:
    """Store the newest half year of eight recorded coins."""
    for name in ("ADA", "BTC", "DOGE", "ETH", "LINK", "LTC", "SOL", "XRP"):
        (file,) = shared_data.rglob(f"OKX_{name}USDT_1h.parquet")
        store(connection, f"OKX:{name}USDT", pd.read_parquet(file).set_index("ts").tail(4_300))


RESEARCH = {"explore_data_and_factors": 4, "train_audit_publish": 3, "why_did_this_signal_fire": 4}
"""How many pictures each shows."""


def check_research(name: str, folder: Path, settings: MongoSettings, connection: Connection) -> None:
    cells = executed(FOLDER / f"{name}.ipynb", folder, settings, seconds=560)
    pictures = pictures_of(cells)
    assert [picture[:8] for picture in pictures] == [PNG] * RESEARCH[name]
    assert all(len(picture) > 5_000 for picture in pictures)
    rows = connection.client[settings.signals_db]["crypto_signals"]
    assert rows.count_documents({"origin": {"$ne": "backfill"}}) == 0, "nothing that a bot would trade"
    assert (rows.count_documents({}) > 0) == (name != "explore_data_and_factors")


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RESEARCH)
def test_research_from_a_notebook_on_made_up_bars(
    name: str, mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    made_up(connection)
    check_research(name, tmp_path, mongo_settings, connection)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RESEARCH)
def test_research_from_a_notebook_on_recorded_bars(
    name: str, mongo_settings: MongoSettings, connection: Connection, tmp_path: Path, shared_data: Path
) -> None:
    recorded(connection, shared_data)
    check_research(name, tmp_path, mongo_settings, connection)


def test_every_notebook_is_run_by_a_test() -> None:
    assert {notebook.stem for notebook in NOTEBOOKS} == {*RESEARCH, "publish_signals"}
