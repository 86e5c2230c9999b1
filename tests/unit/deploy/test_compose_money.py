"""deploy/compose/money.yml over docker-compose.yml: real orders, on purpose only, with an account for the bot alone."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build
from quantbus_executor.cli import app
from quantbus_services.doctor.on_compose import ONE_SHOTS as ENDING
from tests.unit.deploy.test_compose import LIVE, ONE_SHOTS, PROFILES, Service, resolved, tool

FILES = ("docker-compose.yml", "deploy/compose/money.yml")
SIGNED = {
    "STACK_MONEY": "I-have-signed-the-checklist",
    "STACK_MONEY_CONSUMER": "bot-1",
    "STACK_MONEY_CAPITAL": "200",
    "STACK_MONEY_STAKE": "50",
    "STACK_STRATEGY_ID": "mine",
}
ADDED = {"bot-signed", "bot-check-live"}
KEY_FILES = {
    "FREQTRADE__EXCHANGE__KEY_FILE": "/run/secrets/bot_key",
    "FREQTRADE__EXCHANGE__SECRET_FILE": "/run/secrets/bot_secret",
}


@pytest.fixture(scope="module")
def model(root: Path) -> dict[str, Any]:
    return resolved(root, *PROFILES, files=FILES, **SIGNED)


@pytest.fixture(scope="module")
def services(model: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = model["services"]
    return found


def mounted(service: Service) -> set[str]:
    return {mount["source"] for mount in service.get("volumes", [])}


def held(service: Service) -> set[str]:
    return {secret["source"] for secret in service.get("secrets", [])}


@pytest.mark.parametrize("name", ["STACK_MONEY", *sorted(SIGNED.keys() - {"STACK_MONEY"})])
def test_without_each_word_of_the_signature_compose_refuses_the_file(root: Path, name: str) -> None:
    words = [word for file in FILES for word in ("--file", file)]
    command = [tool("docker-compose"), "--env-file", ".env.example", *words, "config", "--quiet"]
    told = {"PATH": "", "COMPOSE_PROFILES": "", **SIGNED, name: ""}
    done = subprocess.run(
        command, cwd=root, env=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert name in done.stderr


def signing(services: dict[str, Service], **otherwise: str) -> subprocess.CompletedProcess[str]:
    """Run what the container runs, with the environment that it has."""
    service = services["bot-signed"]
    command = [word.replace("$$", "$") for word in service["command"]]
    told = {**service["environment"], **otherwise}
    return subprocess.run(command, env=told, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("word", ["true", "1", "yes", "false", "i-have-signed-the-checklist"])
def test_no_other_word_counts_as_a_signature(services: dict[str, Service], word: str) -> None:
    assert signing(services).returncode == 0
    refused = signing(services, STACK_MONEY=word)
    assert refused.returncode == 1
    assert "docs/going-live.md" in refused.stderr


def test_neither_the_demo_nor_the_name_of_the_dry_run_is_traded(services: dict[str, Service]) -> None:
    assert "demo" in signing(services, STACK_STRATEGY_ID="demo").stderr
    assert "STACK_MONEY_CONSUMER" in signing(services, STACK_MONEY_CONSUMER="compose-bot").stderr


def test_it_changes_the_bot_of_the_live_profile_and_nothing_of_the_others(
    root: Path, services: dict[str, Service]
) -> None:
    plain = resolved(root, *PROFILES, STACK_STRATEGY_ID="mine")["services"]
    assert services.keys() - plain.keys() == ADDED
    changed = {name for name in plain if services[name] != plain[name]}
    assert changed == {"bot-config-live", "freqtrade-live", "monitor", "account"}
    told = {"QUANTBUS_MONITOR_FREQTRADE_CONSUMER": "bot-1", "QUANTBUS_MONITOR_FREQTRADE_ACCOUNT": "live"}
    assert services["monitor"]["environment"] == plain["monitor"]["environment"] | told
    named = {"QUANTBUS_ACCOUNT_NAME": told["QUANTBUS_MONITOR_FREQTRADE_ACCOUNT"]}
    assert services["account"]["environment"] == plain["account"]["environment"] | named


def test_the_paper_profile_stays_what_it_is(root: Path) -> None:
    assert set(resolved(root, "paper", files=FILES, **SIGNED)["services"]) == PROFILES["paper"]
    assert set(resolved(root, "live", files=FILES, **SIGNED)["services"]) == PROFILES["live"] | ADDED


def test_signature_config_and_check_come_before_the_bot(services: dict[str, Service]) -> None:
    def needed(name: str) -> set[str]:
        waits = services[name]["depends_on"]
        for other, how in waits.items():
            assert other in ONE_SHOTS | ADDED
            assert how["condition"] == "service_completed_successfully"
        return set(waits)

    assert "bot-check-live" in needed("freqtrade-live")
    assert needed("bot-check-live") == {"bot-config-live", "init"}
    assert needed("bot-config-live") == {"bot-signed"}
    check = services["bot-check-live"]["command"]
    assert check[:3] == ["quantbus", "executor", "check"]
    assert "--strict" in check
    for name in ADDED:
        assert services[name]["restart"] == "no"


def test_the_bot_that_trades_keeps_its_trades_from_every_dry_run(services: dict[str, Service]) -> None:
    others = set(services) - ADDED - {"bot-config-live", "freqtrade-live"}
    for name in ("bot-config-live", "bot-check-live", "freqtrade-live"):
        assert mounted(services[name]) == {"freqtrade-money"}
    assert not any("freqtrade-money" in mounted(services[name]) for name in others)
    (database,) = [word for word in services["bot-config-live"]["command"] if word.startswith("--db=")]
    assert "--consumer-id=bot-1" in services["bot-config-live"]["command"]
    assert database.startswith("--db=/var/lib/quantbus/")
    assert "dry" not in database


def test_the_account_is_a_file_for_the_bot_and_its_check_alone(
    model: dict[str, Any], services: dict[str, Service]
) -> None:
    for name, service in services.items():
        trades = name in ("freqtrade-live", "bot-check-live")
        assert (held(service) & {"bot_key", "bot_secret"}) == ({"bot_key", "bot_secret"} if trades else set())
        files = {key: value for key, value in service.get("environment", {}).items() if "EXCHANGE" in key}
        assert files == (KEY_FILES if trades else {}), name
    assert model["secrets"]["bot_key"]["file"].endswith("/secrets/bot.key")
    assert model["secrets"]["bot_secret"]["file"].endswith("/secrets/bot.secret")


def test_no_secret_stands_in_the_model_or_on_a_command_line(root: Path, tmp_path: Path) -> None:
    secrets = {"bot.key": "K3Y-of-the-account", "bot.secret": "S3CRET-of-the-account"}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
    whole = json.dumps(
        resolved(root, *PROFILES, files=FILES, **SIGNED, STACK_SECRETS=str(tmp_path))["services"]
    )
    assert not any(text in whole for text in secrets.values())


def test_the_account_becomes_a_variable_of_the_bots_process_and_nothing_else(
    root: Path, services: dict[str, Service], tmp_path: Path
) -> None:
    (tmp_path / "bot_key").write_text("K3Y\n")
    (tmp_path / "bot_secret").write_text("S3CRET\n")
    told = services["freqtrade-live"]["environment"]
    moved = {key: value.replace("/run/secrets", str(tmp_path)) for key, value in told.items()}
    shown = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv]))"
    command = [
        "sh",
        str(root / "deploy/docker/with-files.sh"),
        shutil.which("python3") or "python3",
        "-c",
        shown,
    ]
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **{key: value for key, value in moved.items() if "EXCHANGE" in key}},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    environment, arguments = json.loads(done.stdout)
    assert environment["FREQTRADE__EXCHANGE__KEY"] == "K3Y"
    assert environment["FREQTRADE__EXCHANGE__SECRET"] == "S3CRET"
    assert not any(name.endswith("_FILE") for name in environment)
    assert not any("K3Y" in word or "S3CRET" in word for word in [*arguments, *command])


def test_what_is_added_is_hardened_as_the_others_and_reaches_no_more_than_it_needs(
    services: dict[str, Service],
) -> None:
    for name in ADDED:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        assert service["pids_limit"]
        assert service["logging"]["options"]["max-size"]
        assert not service.get("ports")
    assert services["bot-signed"]["network_mode"] == "none"
    assert held(services["bot-signed"]) == mounted(services["bot-signed"]) == set()
    assert set(services["bot-check-live"]["networks"]) == {"bus"}
    for name in LIVE:
        assert "egress" in (services[name].get("networks") or {}) or name == "bot-config-live"


def test_our_commands_are_ones_that_the_command_line_understands(services: dict[str, Service]) -> None:
    for name in ("bot-config-live", "bot-check-live"):
        words = [word for word in services[name]["command"] if word != "quantbus"]
        result = CliRunner().invoke(build(), [*words, "--help"])
        assert result.exit_code == 0, f"{name}: {result.output}"


@pytest.fixture
def bot(root: Path, services: dict[str, Service], tmp_path: Path) -> Path:
    """The config that the container would write, in a folder of this test."""
    (tmp_path / "bot_password").write_text("as long as a password should be")
    command = [
        word.replace("/var/lib/quantbus", str(tmp_path))
        .replace("/opt/user_data", str(root / "executor/user_data"))
        .replace("/run/secrets", str(tmp_path))
        for word in services["bot-config-live"]["command"][2:]
    ]
    made = CliRunner().invoke(app, command)
    assert made.exit_code == 0, made.output
    return tmp_path / "freqtrade.json"


def checked(bot: Path, services: dict[str, Service], root: Path, *, key: str) -> tuple[int, list[str]]:
    words = [
        word.replace("/var/lib/quantbus", str(bot.parent)).replace("/opt", str(root / "executor"))
        for word in services["bot-check-live"]["command"][2:]
    ]
    # Unit tests have no bus, and their folder is one that a restart empties.
    words += ["--offline", "--json", "--accept=claims-file"]
    variables = {"FREQTRADE__EXCHANGE__KEY": key, "FREQTRADE__EXCHANGE__SECRET": key}
    answer = CliRunner().invoke(app, words, env=variables if key else {})
    return answer.exit_code, [row["check"] for row in json.loads(answer.stdout)["findings"]]


def test_the_config_that_comes_out_trades_an_account_and_passes_its_check(
    root: Path, services: dict[str, Service], bot: Path
) -> None:
    made = json.loads(bot.read_text())
    assert made["dry_run"] is False
    assert made["available_capital"] == 200
    assert made["stake_amount"] == 50
    assert made["external_signal"]["consumer_id"] == "bot-1"
    assert made["order_types"]["stoploss_on_exchange"] is True
    assert "K3Y" not in bot.read_text()
    assert checked(bot, services, root, key="K3Y")[0] == 0


def test_a_bot_without_its_account_does_not_pass(root: Path, services: dict[str, Service], bot: Path) -> None:
    code, found = checked(bot, services, root, key="")
    assert code == 1
    assert "keys" in found


REHEARSAL = ("docker-compose.yml", "deploy/compose/rehearsal.yml")


def test_the_rehearsal_is_the_same_config_but_for_money_name_and_place(
    root: Path, services: dict[str, Service]
) -> None:
    rehearsed = resolved(root, *PROFILES, files=REHEARSAL, **SIGNED)["services"]
    config = "bot-config-live"
    words, real = set(rehearsed[config]["command"]), set(services[config]["command"])
    assert words - real == {"--consumer-id=compose-bot", "--db=/var/lib/quantbus/rehearsal.sqlite"}
    assert real - words == {"--live", "--consumer-id=bot-1", "--db=/var/lib/quantbus/live.sqlite"}
    plain = resolved(root, *PROFILES, STACK_STRATEGY_ID="mine")["services"]
    assert rehearsed.keys() == plain.keys()
    assert {name for name in plain if rehearsed[name] != plain[name]} == {config, "freqtrade-live"}
    for name in (config, "freqtrade-live"):
        assert mounted(rehearsed[name]) == {"freqtrade-rehearsal"}
    assert not any("EXCHANGE" in key for key in rehearsed["freqtrade-live"]["environment"])


def test_the_doctor_knows_what_ends_by_itself(services: dict[str, Service]) -> None:
    assert {name for name, service in services.items() if service["restart"] == "no"} == ENDING
