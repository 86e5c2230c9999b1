"""The page about the doctor says what the code does, and its command refuses what it does not know."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build
from quantbus_contracts.errors import ConfigError
from quantbus_services.doctor.catalogue import GROUPS, checks_of, checks_table

PAGE = Path(__file__).resolve().parents[4] / "docs" / "doctor.md"
COMMAND = build(["doctor"])


def test_the_table_of_checks_is_the_codes_own() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("<!-- checks:")[2].partition("-->\n")[2].partition("<!-- /checks -->")[0]
    assert shown.strip() == checks_table()


def test_every_check_belongs_to_a_part() -> None:
    assert all(checks_of(group) for group in GROUPS)


@pytest.mark.parametrize(
    ("options", "told"), [(["--only", "everything"], "everything"), (["--compose", "nowhere"], "nowhere")]
)
def test_what_it_does_not_know_is_wrong_use(options: list[str], told: str) -> None:
    done = CliRunner().invoke(COMMAND, ["doctor", *options])
    assert isinstance(done.exception, ConfigError)
    assert told in str(done.exception)


def test_a_warning_fails_only_if_wanted_and_nothing_but_json_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUANTBUS_HOME", str(tmp_path / "none"))
    for options in ([], ["--strict"]):
        done = CliRunner().invoke(
            COMMAND, ["doctor", "--only", "machine", "--only", "watch", "--json", *options]
        )
        told = json.loads(done.stdout)
        assert (done.exit_code, told["sound"]) == (0, True)
        assert told["counts"]["skipped"] >= 5
