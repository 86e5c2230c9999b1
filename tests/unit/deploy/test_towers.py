"""Prometheus, Alertmanager and Grafana in containers: they find each other, and what they hold fits together."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from quantbus_services.monitor.alerts.alertmanager import AlertmanagerSettings, configuration
from quantbus_services.monitor.settings import MonitorSettings
from tests.unit.deploy.test_compose import MASQUERADE, PROFILES, Service, resolved

GRAFANA = Path("deploy/grafana")


@pytest.fixture(scope="module")
def model(root: Path) -> dict[str, Service]:
    return resolved(root, *PROFILES)


@pytest.fixture(scope="module")
def services(model: dict[str, Service]) -> dict[str, Service]:
    return model["services"]


def mounted(service: Service) -> dict[str, Path]:
    """Return what of this repository a container sees, by where it sees it; it may only read it."""
    binds = [mount for mount in service["volumes"] if mount["type"] == "bind"]
    assert all(mount["read_only"] for mount in binds)
    return {mount["target"]: Path(mount["source"]) for mount in binds}


def test_prometheus_tells_alertmanager_and_says_so_often_enough(
    root: Path, services: dict[str, Service]
) -> None:
    config = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())
    [manager] = config["alerting"]["alertmanagers"]
    [target] = manager["static_configs"][0]["targets"]
    name, _, port = target.partition(":")
    assert services[name]["ports"][0]["target"] == int(port)
    assert "--rules.alert.resend-delay=15s" in services["prometheus"]["command"]


def test_alertmanager_posts_to_the_monitor_with_the_token_that_it_asks_for(
    root: Path, services: dict[str, Service]
) -> None:
    config = yaml.safe_load(
        mounted(services["alertmanager"])["/etc/alertmanager/alertmanager.yml"].read_text()
    )
    hooks = [hook for receiver in config["receivers"] for hook in receiver["webhook_configs"]]
    [token] = {hook["http_config"]["authorization"]["credentials_file"] for hook in hooks}
    environment = services["monitor"]["environment"]
    assert environment["QUANTBUS_MONITOR_ALERT_TOKEN_FILE"] == token
    assert {hook["url"].partition("/alerts")[0] for hook in hooks} == {"http://monitor:8710"}
    for name in ("alertmanager", "monitor"):
        assert token.removeprefix("/run/secrets/") in {
            secret["source"] for secret in services[name]["secrets"]
        }
    both = set(services["alertmanager"]["networks"]) & set(services["monitor"]["networks"])
    assert "bus" in both
    assert "messages-false" in both


def test_a_configuration_of_ones_own_is_mounted_instead(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "alertmanager.yml"
    own.write_text("")
    changed = resolved(root, "monitoring", STACK_ALERTMANAGER=str(own))["services"]["alertmanager"]
    assert mounted(changed)["/etc/alertmanager/alertmanager.yml"] == own


def test_what_the_page_says_about_mail_in_containers_names_secrets_that_are_there(
    root: Path, services: dict[str, Service]
) -> None:
    text = (root / "docs/alerting.md").read_text()
    _, _, section = text.partition("## In containers")
    block = section.partition("```\n")[2].partition("```")[0]
    given = dict(line.split("=", 1) for line in block.splitlines())
    lower = {name.removeprefix("QUANTBUS_ALERTMANAGER_").lower(): value for name, value in given.items()}
    made = yaml.safe_load(configuration(AlertmanagerSettings(_env_file=None, **lower)))  # type: ignore[arg-type]
    held = {f"/run/secrets/{secret['source']}" for secret in services["alertmanager"]["secrets"]}
    hook = made["receivers"][1]["webhook_configs"][0]
    assert made["receivers"][1]["email_configs"]
    assert made["global"]["smtp_auth_password_file"] in held
    assert hook["http_config"]["authorization"]["credentials_file"] in held
    assert hook["url"] == "http://monitor:8710/alerts"


def test_the_monitor_has_messengers_only_where_the_environment_says_so(root: Path) -> None:
    def named(messengers: str) -> str:
        monitor = resolved(root, "monitoring", STACK_MESSENGERS=messengers)["services"]["monitor"]
        assert "messengers" in {secret["source"] for secret in monitor["secrets"]}
        return str(monitor["environment"]["QUANTBUS_MONITOR_ALERT_URLS_FILE"])

    assert named("") == ""
    assert named("/run/secrets/messengers") == "/run/secrets/messengers"


def test_a_name_without_a_file_is_no_messenger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBUS_MONITOR_ALERT_URLS_FILE", "")  # as Compose passes what is not set
    assert MonitorSettings(_env_file=None).alert_urls_file is None


def test_grafana_meets_prometheus_and_has_no_way_to_the_bus_or_the_world(
    root: Path, model: dict[str, Service], services: dict[str, Service]
) -> None:
    assert set(services["grafana"]["networks"]) == {"published"}
    assert model["networks"]["published"]["driver_opts"] == {MASQUERADE: "false"}
    assert "published" in services["prometheus"]["networks"]
    folder = mounted(services["grafana"])["/etc/grafana/provisioning"]
    [source] = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["url"] == f"http://prometheus:{services['prometheus']['ports'][0]['target']}"
    assert source["isDefault"] is True
    assert source["editable"] is False


def test_grafana_finds_the_dashboards_where_it_is_told_to_look(
    root: Path, services: dict[str, Service]
) -> None:
    mounts = mounted(services["grafana"])
    [provider] = yaml.safe_load((root / GRAFANA / "provisioning/dashboards/quantbus.yml").read_text())[
        "providers"
    ]
    assert mounts[provider["options"]["path"]] == (root / GRAFANA / "dashboards").resolve()
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert json.loads((mounts[str(home.parent)] / home.name).read_text())["uid"] == "quantbus-overview"


def test_nobody_gets_into_grafana_without_a_password_and_it_tells_nobody(
    services: dict[str, Service],
) -> None:
    environment = services["grafana"]["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    assert environment["GF_SECURITY_SECRET_KEY__FILE"] == "/run/secrets/grafana_key"
    assert {secret["source"] for secret in services["grafana"]["secrets"]} == {
        "grafana_password",
        "grafana_key",
    }
    for off in ("AUTH_ANONYMOUS_ENABLED", "USERS_ALLOW_SIGN_UP", "UNIFIED_ALERTING_ENABLED"):
        assert environment[f"GF_{off}"] == "false"
    for off in ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES"):
        assert environment[f"GF_ANALYTICS_{off}"] == "false"
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"


def test_images_of_others_are_pinned_to_a_version(services: dict[str, Service]) -> None:
    for name in ("prometheus", "alertmanager", "grafana", "mongo"):
        version = services[name]["image"].partition(":")[2].removeprefix("v")
        assert version.count(".") == 2, name
        assert all(part.isdigit() for part in version.split(".")), name


def test_every_secret_of_the_file_is_one_that_the_script_makes_and_makes_once(
    root: Path, model: dict[str, Service], tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    command = ["sh", str(root / "deploy/docker/make-secrets.sh"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    made = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert {Path(secret["file"]).name for secret in model["secrets"].values()} == set(made)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {name for name, held in made.items() if not held} == {
        *("account.key", "account.secret", "messengers", "smtp.password")
    }
    again = subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert again.stdout == b""
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == made
    token = folder / "alert.token"
    settings = MonitorSettings(_env_file=None, alert_token_file=token)
    read = settings.alert_token()
    assert read is not None
    assert read.get_secret_value() == token.read_text()
    assert os.access(token, os.R_OK)
