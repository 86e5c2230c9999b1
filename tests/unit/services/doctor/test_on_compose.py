"""What the doctor makes of a stack in containers; the engine is played by a script."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from quantbus_services.doctor.findings import Finding
from quantbus_services.doctor.looking_at_compose import stack_findings
from quantbus_services.doctor.on_compose import containers_finding, ports_finding, rows_of

MONGO: dict[str, Any] = {"Service": "mongo", "State": "running", "Health": "healthy", "Publishers": None}
INIT: dict[str, Any] = {"Service": "init", "State": "exited", "ExitCode": 0, "Health": ""}
MONITOR = MONGO | {"Service": "monitor", "Publishers": [{"URL": "127.0.0.1", "PublishedPort": 8710}]}
INSIDE = [{"check": "bus-answers", "status": "ok", "expected": "a", "found": "MongoDB 7.0.28", "advice": ""}]
ENGINE = """#!/bin/sh
echo "$@" >>asked
case "$*" in
"compose ps"*) cat rows ;;
"compose config --services") cat services ;;
"compose run"*" init doctor"*) cat inside ;;
*"ingest clock"*) echo '{"venue": "binance", "offset_seconds": 0.0}' ;;
*"account rights"*) echo '{"venue": "binance", "can_withdraw": true, "can_trade": false}'; exit 1 ;;
*"executor check"*) echo '{"fit": true, "findings": []}' ;;
esac
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs, folder = tmp_path / "bin", tmp_path / "stack"
    programs.mkdir()
    (folder / "secrets").mkdir(parents=True)
    (programs / "docker").write_text(ENGINE)
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    (folder / "secrets").chmod(0o700)
    for name, text in (("admin.password", "x"), ("account.key", "")):
        (folder / "secrets" / name).write_text(text)
        (folder / "secrets" / name).chmod(0o444)
    (folder / ".env.example").write_text(
        "STACK_PAIRS=BTC/USDT\n# STACK_OTHER=1\nSTACK_MONGO_MEMBERS=mongo:27017\n"
    )
    (folder / ".env").write_text("STACK_PAIRS=ETH/USDT\n")
    write_rows(folder, MONGO, INIT, MONITOR)
    (folder / "services").write_text("mongo\ninit\nmonitor\nfound\n")
    (folder / "inside").write_text(json.dumps({"findings": INSIDE}))
    return folder


def write_rows(folder: Path, *rows: dict[str, Any]) -> None:
    (folder / "rows").write_text("".join(json.dumps(row) + "\n" for row in rows))


def found_in(folder: Path, *, offline: bool = False) -> dict[str, Finding]:
    return {one.check: one for one in stack_findings(folder, 30.0, offline=offline)}


def test_a_stack_without_fault_is_fine_and_its_bus_is_looked_at_from_inside(stack: Path) -> None:
    found = found_in(stack)
    assert {one.status for one in found.values()} == {"ok", "skipped"}
    assert found["bus-answers"].found == "MongoDB 7.0.28"
    assert "run --rm --no-deps -T init doctor --only bus --json" in (stack / "asked").read_text()


def test_venue_key_and_config_are_asked_in_the_containers_that_run(stack: Path) -> None:
    running = [MONGO | {"Service": name} for name in ("ingestion", "account", "freqtrade")]
    write_rows(stack, *running)
    found = found_in(stack)
    assert (found["venue"].status, found["venue-key"].status, found["bot-config"].status) == (
        "ok",
        "fail",
        "ok",
    )
    assert found_in(stack, offline=True)["venue-key"].status == "skipped"


def test_the_venue_that_the_stack_follows_is_the_one_that_is_asked(stack: Path) -> None:
    (stack / ".env").write_text("STACK_VENUE=okx\n")
    write_rows(stack, MONGO | {"Service": "ingestion-live"})
    assert found_in(stack)["venue"].status == "ok"
    assert "exec -T ingestion-live quantbus ingest clock --json --venue okx" in (stack / "asked").read_text()


def test_what_is_asked_inside_are_services_and_paths_of_our_own_file() -> None:
    root = Path(__file__).resolve().parents[4]
    text = (root / "docker-compose.yml").read_text()
    for service in ("init", "ingestion", "ingestion-live", "account", "freqtrade", "freqtrade-live"):
        assert f"\n  {service}:\n" in text
    for said in (
        "http://paper-exchange:8711",
        "/var/lib/quantbus/freqtrade.json",
        "/opt/user_data/strategies",
    ):
        assert said in text


def test_the_bots_config_is_asked_about_with_the_account_that_the_bot_has(stack: Path) -> None:
    root = Path(__file__).resolve().parents[4]
    write_rows(stack, MONGO | {"Service": "freqtrade-live"})
    assert found_in(stack)["bot-config"].status == "ok"
    (asked,) = [line for line in (stack / "asked").read_text().splitlines() if "executor check" in line]
    image = (root / "deploy/docker/executor.Dockerfile").read_text()
    (entrypoint,) = [line for line in image.splitlines() if line.startswith("ENTRYPOINT ")]
    assert f"freqtrade-live {json.loads(entrypoint.removeprefix('ENTRYPOINT '))[0]} quantbus" in asked


def test_names_that_compose_would_pass_over_are_told(stack: Path) -> None:
    (stack / ".env").write_text("STACK_PARIS=ETH/USDT\nSTACK_OTHER=1\n")
    found = found_in(stack)["stack-names"]
    assert (found.status, found.found) == ("fail", "STACK_PARIS")


def test_secrets_in_an_open_folder_fail_and_empty_ones_too(stack: Path, tmp_path: Path) -> None:
    (stack / "secrets" / "bot.password").write_text("")
    assert "bot.password" in found_in(stack)["stack-secrets"].found
    (stack / ".env").write_text("STACK_SECRETS=elsewhere\n")
    assert "make-secrets" in found_in(stack)["stack-secrets"].advice


def test_an_engine_that_does_not_answer_makes_the_stack_unknown(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(stack))
    found = found_in(stack)
    assert found["containers"].status == found["published-ports"].status == "unknown"
    assert "cannot be run" in found["containers"].found


def test_a_doctor_inside_that_says_nothing_leaves_the_bus_unknown(stack: Path) -> None:
    (stack / "inside").write_text("no such command")
    assert found_in(stack)["bus-answers"].status == "unknown"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (INIT | {"ExitCode": 3}, "ended with 3"),
        (MONGO | {"Health": "unhealthy"}, "unhealthy"),
        (MONGO | {"Health": "starting"}, "starting"),
        (MONGO | {"State": "restarting"}, "restarting"),
    ],
)
def test_a_container_that_is_not_as_it_should_be_is_named(row: dict[str, Any], told: str) -> None:
    found = containers_finding([MONGO, row], "")
    assert found.status == "fail"
    assert f"{row['Service']}: {told}" in found.found
    assert row["Service"] in found.advice


def test_no_container_at_all_is_a_failure() -> None:
    assert containers_finding([], "").status == "fail"


@pytest.mark.parametrize("url", ["0.0.0.0", "::", "10.0.0.7", ""])  # noqa: S104
def test_a_port_that_is_published_beyond_this_machine_fails(url: str) -> None:
    row = MONITOR | {"Publishers": [{"URL": url, "PublishedPort": 8710}, {"URL": "", "PublishedPort": 0}]}
    found = ports_finding([MONGO, row])
    assert found.status == "fail"
    assert "monitor" in found.found


def test_both_spellings_of_the_engines_list_are_read() -> None:
    assert rows_of(json.dumps([MONGO, INIT])) == [MONGO, INIT]
    assert rows_of(f"{json.dumps(MONGO)}\n{json.dumps(INIT)}\n") == [MONGO, INIT]
    assert rows_of("") == []
    assert rows_of("Cannot connect to the daemon") is None
    assert rows_of("[1]") is None


def test_a_bot_that_was_stopped_is_no_one_shot_that_ended(stack: Path) -> None:
    write_rows(stack, MONGO, INIT, MONITOR, INIT | {"Service": "freqtrade-live"})
    found = found_in(stack)["containers"]
    assert (found.status, found.found) == ("fail", "freqtrade-live: was stopped")


def test_a_member_that_runs_beside_the_set_is_told(stack: Path) -> None:
    write_rows(stack, MONGO, INIT, MONITOR, MONGO | {"Service": "mongo-2"})
    found = found_in(stack)["containers"]
    assert (found.status, found.found) == ("fail", "mongo-2: runs, and STACK_MONGO_MEMBERS does not name it")
    with (stack / ".env").open("a") as file:
        file.write("STACK_MONGO_MEMBERS=mongo:27017,mongo-2:27017\n")
    assert found_in(stack)["containers"].status == "ok"


def test_a_service_that_was_never_started_is_told(stack: Path) -> None:
    write_rows(stack, MONGO, INIT)
    found = found_in(stack)["services"]
    assert (found.status, found.found) == ("warn", "none for monitor")
    (stack / "services").unlink()
    assert found_in(stack)["services"].status == "unknown"
