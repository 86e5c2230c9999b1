"""What ``quantbus up --detach`` tells somebody who has never seen it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from quantbus_services.local import up as up_module
from quantbus_services.local.cli import up


def test_it_says_where_to_look_and_what_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANTBUS_HOME", str(tmp_path))
    plan = SimpleNamespace(home=tmp_path / "stack-synthetic", recipe="demo")
    monkeypatch.setattr(up_module, "local_plan", lambda *_, **__: plan)
    monkeypatch.setattr(up_module, "detach", lambda *_: {"pid": 1, "monitor": "http://127.0.0.1:8710"})
    app = typer.Typer()
    app.command()(up)
    told = CliRunner().invoke(app, ["--detach"], env={"COLUMNS": "300"})
    assert told.exit_code == 0, told.output
    assert "see it in a browser: http://127.0.0.1:8710/" in told.output
    for command in (
        "quantbus monitor check",
        "quantbus monitor report",
        "quantbus keys create",
        "quantbus down",
    ):
        assert command in told.output
