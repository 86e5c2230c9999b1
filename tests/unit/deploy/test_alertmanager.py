"""Alertmanager's configuration: valid, with everybody told, and nothing silenced but consequences."""

import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build
from quantbus_contracts.errors import ConfigError
from quantbus_services.monitor.alerts.alertmanager import (
    AlertmanagerSettings,
    configuration,
    write_configuration,
)

MAIL = {"email_to": "me@example.org", "email_from": "bus@example.org", "smtp_host": "mail.example.org:587"}
LOGIN = {"smtp_user": "bus", "smtp_password_file": "/run/secrets/smtp"}
COMPOSE = {"monitor_url": "http://monitor:8710", "token_file": "/run/secrets/alert_token"}


def settings(**given: object) -> AlertmanagerSettings:
    return AlertmanagerSettings(_env_file=None, **given)  # type: ignore[arg-type]  # as pydantic takes it


@pytest.fixture
def telegram(tmp_path: Path) -> dict[str, object]:
    token = tmp_path / "telegram-token"
    token.write_text("123456:made-up\n")
    return {"telegram_chat": -100_123, "telegram_token_file": token}


def amtool_says(amtool: str, path: Path, *arguments: str) -> str:
    done = subprocess.run([amtool, *arguments], capture_output=True, timeout=60, check=False, cwd=path.parent)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, told
    return told


@pytest.mark.parametrize("mail", [{}, MAIL, MAIL | LOGIN | {"smtp_tls": False}])
@pytest.mark.parametrize("with_telegram", [False, True])
def test_amtool_accepts_whatever_is_switched_on(
    amtool: str, tmp_path: Path, telegram: dict[str, object], mail: dict[str, object], *, with_telegram: bool
) -> None:
    path = tmp_path / "alertmanager.yml"
    more = telegram | {"deadman_url": "https://example.org/ping"} if with_telegram else {}
    write_configuration(settings(**COMPOSE, **mail, **more), path)
    assert "SUCCESS" in amtool_says(amtool, path, "check-config", str(path))
    receivers = {item["name"]: item for item in yaml.safe_load(path.read_text())["receivers"]}
    for name in ("critical", "warning"):
        assert ("email_configs" in receivers[name]) == bool(mail)
        assert ("telegram_configs" in receivers[name]) == with_telegram
        assert receivers[name]["webhook_configs"][0]["url"] == "http://monitor:8710/alerts"
    assert len(receivers["watchdog"]["webhook_configs"]) == 1 + with_telegram


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=Watchdog", "severity=none"], "watchdog"),
        (["alertname=SignalMissing", "severity=critical"], "critical"),
        (["alertname=SignalLate", "severity=warning"], "warning"),
        (["alertname=OfSomebodyElse"], "warning"),
    ],
)
def test_alerts_go_where_their_severity_says(
    amtool: str, tmp_path: Path, labels: list[str], receiver: str
) -> None:
    path = tmp_path / "alertmanager.yml"
    write_configuration(settings(), path)
    told = amtool_says(amtool, path, "config", "routes", "test", f"--config.file={path}", *labels)
    assert told.splitlines()[0] == receiver


def test_the_file_that_ships_is_what_the_command_writes_for_compose(root: Path) -> None:
    shipped = (root / "deploy/alertmanager/alertmanager.yml").read_text()
    assert shipped == configuration(settings(**COMPOSE))


def test_inhibition_names_alerts_that_exist_and_never_silences_its_own_cause(root: Path) -> None:
    files = sorted((root / "deploy/prometheus/rules").glob("*.yml"))
    rules = [
        rule
        for file in files
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]
    depends = {rule["alert"]: rule["labels"].get("depends_on", "") for rule in rules if "alert" in rule}
    for rule in yaml.safe_load(configuration(settings()))["inhibit_rules"]:
        sources, targets = named(rule["source_matchers"]), named(rule["target_matchers"])
        assert sources <= set(depends)
        assert targets <= set(depends)
        words = re.findall(r'depends_on =~? "([^"]+)"', " ".join(rule["target_matchers"]))
        silenced = {name for name, needs in depends.items() if words and needs in words[0].split("|")}
        assert silenced | targets, rule
        assert not sources & (silenced | targets), rule


def test_a_process_that_was_taken_out_of_service_hides_no_stale_bars() -> None:
    sources = [rule["source_matchers"] for rule in yaml.safe_load(configuration(settings()))["inhibit_rules"]]
    assert "HeartbeatLost" not in set().union(*(named(matchers) for matchers in sources))


def named(matchers: list[str]) -> set[str]:
    found = re.findall(r'alertname =~? "([^"]+)"', " ".join(matchers))
    return {name for names in found for name in names.split("|")}


def test_what_it_writes_is_for_its_owner_only_because_it_may_hold_a_token(
    tmp_path: Path, telegram: dict[str, object]
) -> None:
    path = tmp_path / "alertmanager.yml"
    write_configuration(settings(**telegram), path)
    assert "123456:made-up" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("tmp")] == []


def test_values_of_settings_cannot_add_to_the_configuration() -> None:
    wicked = 'me@example.org"\n    webhook_configs: [{url: "http://elsewhere"}]\n#'
    text = configuration(settings(**MAIL | {"email_to": wicked}))
    receivers = yaml.safe_load(text)["receivers"]
    assert receivers[1]["email_configs"][0]["to"] == wicked
    assert "elsewhere" not in str(receivers[1]["webhook_configs"])


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"email_to": "me@example.org"}, "EMAIL_FROM and no SMTP_HOST"),
        (MAIL | {"smtp_user": "bus"}, "SMTP_PASSWORD_FILE"),
        ({"telegram_chat": 7}, "TELEGRAM_TOKEN_FILE"),
    ],
)
def test_half_a_receiver_is_refused_with_what_is_missing(given: dict[str, object], missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        settings(**given)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_token_that_cannot_be_meant_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="expected a secret in the file"):
        configuration(settings(telegram_chat=7, telegram_token_file=file))


def test_the_command_writes_what_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in MAIL.items():
        monkeypatch.setenv(f"QUANTBUS_ALERTMANAGER_{name.upper()}", value)
    monkeypatch.setenv("QUANTBUS_ALERTMANAGER_TOKEN_FILE", "")  # as Compose passes what is not set
    words = ["monitor", "alertmanager", "--out", "am.yml"]
    result = CliRunner().invoke(build(), words)
    assert result.exit_code == 0, result.output
    assert 'to: "me@example.org"' in (tmp_path / "am.yml").read_text()
    assert "credentials_file" not in (tmp_path / "am.yml").read_text()
