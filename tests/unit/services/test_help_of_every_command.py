"""Every command of the installed product shows how it is used, in words that a terminal of 80 columns can show."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build


def _commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", None)
    if below is None:
        return [path]
    return [found for name, child in below.items() for found in _commands(child, (*path, name))]


ROOT = build()
COMMANDS = _commands(typer.main.get_command(ROOT))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_has_an_example_that_begins_with_the_command(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(ROOT, [*path, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    assert "Example" in done.output
    assert f"quantbus {' '.join(path)}" in done.output.split("Example", 1)[1]
    assert "\\b" not in done.output


def test_the_commands_of_all_members_are_there() -> None:
    names = {path[0] for path in COMMANDS}
    assert {
        "bus",
        "market",
        "ingest",
        "paper-exchange",
        "gateway",
        "monitor",
        "research",
        "executor",
    } <= names
