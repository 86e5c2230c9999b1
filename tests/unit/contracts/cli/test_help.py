"""Every command's help shows how it is used."""

import pytest
import typer
from typer.testing import CliRunner

from quantbus_contracts.cli.root import OWN

COMMANDS = [
    (group, command.name or (command.callback.__name__ if command.callback else ""))
    for group, app in OWN.items()
    for command in app.registered_commands
]


@pytest.mark.parametrize(("group", "name"), COMMANDS)
def test_every_help_has_an_example_that_begins_with_the_command(group: str, name: str) -> None:
    root = typer.Typer()
    root.add_typer(OWN[group], name=group)
    root.command("another")(lambda: None)
    done = CliRunner().invoke(root, [group, name, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert "Example" in done.output
    assert f"quantbus {group} {name}" in done.output


def test_the_commands_are_there() -> None:
    assert {("signals", "tail"), ("controls", "halt"), ("strategies", "declare"), ("audit", "verify")} <= set(
        COMMANDS
    )
