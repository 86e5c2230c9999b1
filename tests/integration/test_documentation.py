"""What the documents show is run: Python as it stands, commands down to their options."""

import math
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quantbus_contracts.cli.reason_table import reasons_markdown
from quantbus_contracts.cli.root import build
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (file.name, code)
        for file in DOCUMENTS
        for kind, code in BLOCK.findall(file.read_text(encoding="utf-8"))
        if kind == language
    ]


def command_lines() -> list[str]:
    lines = [line.split("#")[0].strip() for _, code in blocks("sh") for line in code.splitlines()]
    return sorted({line.removeprefix("uv run ") for line in lines if re.match(r"(uv run )?quantbus ", line)})


@cache
def help_of(*words: str) -> str:
    shown = CliRunner().invoke(build(words), [*words, "--help"], env={"COLUMNS": "200"}, terminal_width=200)
    assert shown.exit_code == 0, f"{' '.join(words)}: {shown.output}"
    return shown.output


@pytest.mark.parametrize("line", command_lines())
def test_commands_and_their_options_exist(line: str) -> None:
    words = line.split()[1:]
    depth = 1 if words[0] in ("demo", "doctor", "up", "down", "logs", "replay", "settings") else 2
    if words[:2] in (["paper-exchange", "accounts"], ["paper-exchange", "faults"], ["ingest", "universe"]):
        depth = 3
    shown = help_of(*words[:depth])
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{re.escape(option)}\b", shown), (
            f"{option} is unknown to `quantbus {' '.join(words[:depth])}`"
        )


def store_january(connection: Connection) -> None:
    """Store what the examples of reading read: a month of days and hours, a day of minutes."""
    start, writer = datetime(2024, 1, 1, tzinfo=UTC), CandleWriter(connection)
    for phase, symbol in enumerate(("BINANCE:BTCUSDT", "BINANCE:ETHUSDT")):
        for timeframe, count in (("1d", 31), ("1h", 31 * 24), ("1m", 1440)):
            frame = Timeframe.parse(timeframe)
            prices = [
                1.5 + 0.4 * math.sin(at * at + phase) for at in range(count + 1)
            ]  # no two hours are alike
            bars = [
                (start + at * frame.delta, prices[at], 2.0, 0.5, prices[at + 1], float(at))
                for at in range(count)
            ]
            writer.write_bars(symbol, frame, "example", bars)


@pytest.mark.parametrize(("name", "code"), blocks("python"), ids=lambda value: value[:20])
def test_python_runs_as_it_stands(
    name: str, code: str, mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    assert mongo_settings.mongo_uri is not None
    if name in ("reading.md", "qlib.md", "research-backtests.md"):
        store_january(connection)
    environment = {
        **os.environ,
        "QUANTBUS_MONGO_URI": mongo_settings.mongo_uri.get_secret_value(),
        "QUANTBUS_SIGNALS_DB": mongo_settings.signals_db,
        "QUANTBUS_MARKET_DB": mongo_settings.market_db,
        "QUANTBUS_HOME": str(mongo_settings.home),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"


def test_the_page_of_reasons_holds_the_list_as_it_is_in_code() -> None:
    text = (ROOT / "docs" / "why-not-traded.md").read_text(encoding="utf-8")
    assert reasons_markdown() in text, "paste what `quantbus signals reasons --markdown` prints"
