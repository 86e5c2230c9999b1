import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_research.cli import app
from quantbus_research.cli.graph import _print_rows
from quantbus_research.settings import shipped_recipes
from quantbus_research.settings.nodes import ArtefactType
from quantbus_research.workflows.nodes import Artefact

runner = CliRunner()


def test_help_shows_an_example_for_every_command() -> None:
    for command in (
        "run",
        "recipes",
        "validate",
        "train",
        "promote",
        "rollback",
        "models",
        "predict",
        "backtest",
        "why",
    ):
        shown = runner.invoke(app, [command, "--help"])
        assert shown.exit_code == 0
        assert f"quantbus research {command}" in shown.output


def test_the_shipped_recipes_are_listed() -> None:
    shown = runner.invoke(app, ["recipes", "--json"])
    assert shown.exit_code == 0
    assert {"demo", "direction_1h"} <= json.loads(shown.output).keys()
    assert "claims" in runner.invoke(app, ["recipes"]).output


def test_a_valid_recipe_is_called_valid() -> None:
    shown = runner.invoke(
        app, ["validate", "demo", "--set", "nodes.policy.hold_bars=4", "--pairs", "SOL/USDT"]
    )
    assert shown.exit_code == 0
    assert "demo is valid: strategy demo" in shown.output


def test_a_typo_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(shipped_recipes()["demo"].text.replace("hold_bars", "hold_bar"), encoding="utf-8")
    for command in ("run", "validate"):
        shown = runner.invoke(app, [command, str(mine)])
        assert isinstance(shown.exception, ConfigError)
        assert "[nodes.policy] has no key 'hold_bar'; did you mean 'hold_bars'?" in str(shown.exception)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["demo", "--as-of", "yesterday"], "expected --as-of as 2025-06-01T12:00Z, found 'yesterday'"),
        (["demo", "--loop", "--as-of", "2025-06-01"], "expected --as-of without --loop"),
        (
            ["demo", "--loop", "--what-if", "--jobs", "2"],
            "expected --what-if, --jobs without --loop and --once",
        ),
        (["demo", "--retrain"], "expected --retrain with --loop or --once only"),
        (["demo", "--pairs", "BTCUSDT"], "expected BASE/QUOTE"),
    ],
)
def test_bad_options_are_refused(arguments: list[str], told: str) -> None:
    shown = runner.invoke(app, ["run", *arguments])
    assert isinstance(shown.exception, ConfigError)
    assert told in str(shown.exception)


@pytest.mark.parametrize("way", ["--loop", "--once"])
def test_a_recipe_whose_gates_were_not_asked_does_not_speak(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTBUS_HOME", str(tmp_path))
    shown = runner.invoke(app, ["run", "trend_1h", way])
    assert isinstance(shown.exception, ConfigError)
    assert "expected gates that let recipe trend_1h speak live" in str(shown.exception)


def test_of_many_signals_the_newest_are_shown_whatever_their_pair(capsys: pytest.CaptureFixture[str]) -> None:
    times = pd.date_range("2026-01-05", periods=30, freq="1h", tz="UTC")
    rows = pd.DataFrame(
        {"pair": ["A/USDT"] * 30 + ["B/USDT"] * 30, "ts": [*times, *times], "weight": float("nan")}
    )
    _print_rows("publish", Artefact(ArtefactType.SIGNALS, {"signals": rows}), Console(width=120))
    shown = capsys.readouterr().out
    assert shown.count("A/USDT") == shown.count("B/USDT") == 10
    assert str(times[-1]) in shown
    assert str(times[0]) not in shown
    assert "nan" not in shown


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = ("pandas", "numpy", "lightgbm", "pymongo")
    code = f"import sys, quantbus_research.cli; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
