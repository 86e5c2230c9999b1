"""What the doctor makes of this machine, and of who can read its secrets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quantbus_services.doctor.catalogue import checks_of
from quantbus_services.doctor.exposure import Looked, exposure, look
from quantbus_services.doctor.findings import Finding
from quantbus_services.doctor.on_machine import MachineFacts, machine_findings
from quantbus_services.doctor.settings import secret_files_in, written_secrets

OPEN, SHUT = 0o40755, 0o40700
SECRET = Looked(Path("/home/me/secrets/a"), 0o100600, 44, (OPEN, OPEN, OPEN, OPEN))
SOUND = MachineFacts(
    python=(3, 12),
    versions={"quantbus-contracts": "0.1.0", "quantbus-services": "0.1.0", "freqtrade": "2026.9"},
    unknown_names=(),
    settings="",
    secret_files=(SECRET,),
    env_file=replace(SECRET, path=Path("/home/me/.env")),
    env_secrets=(),
    disk=("/home", 100, 50),
)


def judged(**changes: Any) -> dict[str, Finding]:
    return {one.check: one for one in machine_findings(replace(SOUND, **changes))}


def test_a_machine_without_fault_is_told_to_be_so_in_every_check() -> None:
    assert {one.status for one in judged().values()} == {"ok"}
    assert list(judged()) == list(checks_of("machine"))


@pytest.mark.parametrize(
    ("changes", "check", "status", "told"),
    [
        ({"python": (3, 13)}, "python", "fail", "3.13"),
        (
            {"versions": {"quantbus-contracts": "1", "quantbus-services": "2"}},
            "packages",
            "fail",
            "services 2",
        ),
        ({"versions": {"quantbus-contracts": "1", "freqtrade": "2026.1"}}, "packages", "fail", "2026.1"),
        ({"unknown_names": ["QUANTBUS_X"]}, "environment", "fail", "QUANTBUS_X"),
        ({"settings": "QUANTBUS_MARKET_DB: no"}, "settings", "fail", "MARKET_DB"),
        ({"secret_files": ()}, "secret-files", "skipped", "no file"),
        ({"secret_files": [replace(SECRET, mode=0o100604)]}, "secret-files", "fail", "everyone"),
        ({"secret_files": [replace(SECRET, mode=0o100640)]}, "secret-files", "warn", "group"),
        ({"secret_files": [replace(SECRET, size=0)]}, "secret-files", "fail", "empty"),
        ({"secret_files": [Looked(Path("gone"), None, reason="not there")]}, "secret-files", "fail", "gone"),
        ({"env_file": Looked(Path(".env"), None)}, "env-file", "skipped", "no .env"),
        ({"env_file": replace(SECRET, mode=0o100644)}, "env-file", "ok", "no secret"),
        ({"env_secrets": ["A_KEY"]}, "env-file", "ok", "A_KEY"),
        ({"env_file": replace(SECRET, mode=0o100644), "env_secrets": ["A_KEY"]}, "env-file", "fail", "A_KEY"),
        ({"disk": ("/", 100, 5)}, "home-disk", "fail", "5% free"),
        ({"disk": None}, "home-disk", "skipped", "no such folder"),
    ],
)
def test_a_fault_is_told_with_what_was_found(
    changes: dict[str, Any], check: str, status: str, told: str
) -> None:
    found = judged(**changes)[check]
    assert (found.status, told in found.found) == (status, True), found
    assert found.advice or status in ("ok", "skipped")


def test_a_file_that_everyone_may_read_is_safe_in_a_folder_that_nobody_enters() -> None:
    assert exposure(replace(SECRET, mode=0o100444)) == "everyone"
    assert exposure(replace(SECRET, mode=0o100444, folders=(OPEN, OPEN, SHUT))) is None
    assert exposure(replace(SECRET, mode=0o100440, folders=(OPEN, 0o40710))) == "group"


def test_a_file_that_others_may_write_is_no_secret_either() -> None:
    assert exposure(replace(SECRET, mode=0o100602)) == "everyone"


def test_what_a_container_alone_was_given_keeps_its_mode_from_outside() -> None:
    assert exposure(replace(SECRET, path=Path("/run/secrets/monitor_password"), mode=0o100444)) is None


def test_the_mode_of_what_a_link_leads_to_counts(tmp_path: Path) -> None:
    secret, link = tmp_path / "secret", tmp_path / "link"
    secret.write_text("x")
    secret.chmod(0o600)
    link.symlink_to(secret)
    looked = look(link)
    assert looked.mode is not None
    assert looked.mode & 0o777 == 0o600
    assert looked.size == 1
    assert look(tmp_path).mode is None
    assert look(tmp_path / "gone").reason


def test_files_of_secrets_are_known_by_their_names() -> None:
    named = secret_files_in(
        {
            "QUANTBUS_MONGO_PASSWORD_FILE": "a",
            "QUANTBUS_ACCOUNT_KEY_FILE": "b",
            "FREQTRADE__EXCHANGE__SECRET_FILE": "c",
            "QUANTBUS_MONITOR_ALERT_URLS_FILE": "d",
            "QUANTBUS_MONITOR_READY_FILE": "e",
            "QUANTBUS_MONITOR_ALERT_TOKEN_FILE": "",
            "OTHER_PASSWORD_FILE": "f",
        }
    )
    assert sorted(str(path) for path in named.values()) == ["a", "b", "c", "d"]


def test_secrets_that_stand_in_variables_are_told_by_name() -> None:
    given = {
        "QUANTBUS_MONGO_URI": "mongodb://me:word@bus/",
        "FREQTRADE__EXCHANGE__KEY": "k",
        "QUANTBUS_MONGO_PASSWORD_FILE": "f",
        "QUANTBUS_HOME": "mongodb://bus/",
    }
    assert written_secrets(given) == ["FREQTRADE__EXCHANGE__KEY", "QUANTBUS_MONGO_URI"]
