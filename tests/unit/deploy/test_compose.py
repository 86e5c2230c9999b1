"""docker-compose.yml as Compose itself resolves it; no engine is needed for that."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build
from quantbus_contracts.runtime.settings import KNOWN_NAMES
from quantbus_services.local.stack import StackPlan

Service = dict[str, Any]
OURS = ("init", "paper-exchange", "ingestion", "research", "bot-config", "freqtrade", "monitor", "gateway")
ONE_SHOTS = {"init", "bot-config"}


def tool(name: str) -> str:
    found = Path(sys.executable).parent / name
    return str(found) if found.exists() else shutil.which(name) or pytest.fail(f"{name} is not installed")


@pytest.fixture(scope="module")
def services(root: Path) -> dict[str, Service]:
    command = [tool("docker-compose"), "--env-file", ".env.example", "config", "--format", "json"]
    done = subprocess.run(command, cwd=root, env={"PATH": ""}, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    resolved: dict[str, Service] = json.loads(done.stdout)["services"]
    return resolved


@pytest.fixture(scope="module")
def example(root: Path) -> dict[str, str]:
    lines = [line for line in (root / ".env.example").read_text().splitlines() if line[:1] not in ("#", "")]
    return dict(line.split("=", 1) for line in lines)


def test_the_file_satisfies_the_compose_specification(root: Path) -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(command, cwd=root, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_every_process_of_the_mission_is_there(services: dict[str, Service]) -> None:
    assert set(services) == {"mongo", "prometheus", *OURS}


def test_without_a_password_compose_refuses_and_says_what_to_do(root: Path) -> None:
    command = [tool("docker-compose"), "--env-file", "/dev/null", "config"]
    done = subprocess.run(command, cwd=root, env={"PATH": ""}, capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    assert b"copy .env.example to .env" in done.stderr


def test_what_is_published_is_published_on_loopback_and_the_database_is_not(
    services: dict[str, Service],
) -> None:
    published = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in service.get("ports", [])]
        for name, service in services.items()
    }
    assert {name: ports for name, ports in published.items() if ports} == {
        "paper-exchange": [("127.0.0.1", "8711", 8711)],
        "freqtrade": [("127.0.0.1", "8712", 8712)],
        "monitor": [("127.0.0.1", "8710", 8710)],
        "gateway": [("127.0.0.1", "8720", 8720)],
        "prometheus": [("127.0.0.1", "9090", 9090)],
    }


def test_every_lasting_service_has_a_health_check_and_restarts(services: dict[str, Service]) -> None:
    for name in services.keys() - ONE_SHOTS:
        assert services[name]["healthcheck"]["test"][0] == "CMD", name
        assert services[name]["restart"] == "unless-stopped", name
    for name in ONE_SHOTS:
        assert services[name]["restart"] == "no", name


def test_services_wait_for_health_and_for_one_shots_to_finish(services: dict[str, Service]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONE_SHOTS else "service_healthy"
            assert how["condition"] == expected, f"{name} needs {needed}"


def test_everything_that_uses_the_bus_waits_until_it_is_prepared(services: dict[str, Service]) -> None:
    assert set(services["init"]["depends_on"]) == {"mongo"}
    for name in ("ingestion", "research", "freqtrade", "monitor", "gateway"):
        assert "init" in services[name]["depends_on"]


def test_every_environment_name_is_one_that_something_reads(services: dict[str, Service]) -> None:
    for name in OURS:
        unknown = set(services[name]["environment"]) - set(KNOWN_NAMES)
        assert {key for key in unknown if not key.startswith("FREQTRADE__")} == set(), name


def test_the_database_is_as_careful_as_the_embedded_one(services: dict[str, Service]) -> None:
    command = services["mongo"]["command"]
    assert {"--replSet=quantbus", "--noscripting", "--networkMessageCompressors=snappy,zstd"} <= set(command)
    major, minor, patch = map(int, services["mongo"]["image"].removeprefix("mongo:").split("."))
    assert (major, minor) == (7, 0)
    assert patch >= 28


def test_our_commands_are_ones_that_the_command_line_understands(services: dict[str, Service]) -> None:
    for name in OURS:
        words = [word for word in services[name]["command"] if word != "quantbus"]
        if words[0] == "freqtrade":
            continue
        # With --help nothing runs, but every option before it is parsed: an unknown one ends with 2.
        result = CliRunner().invoke(build(), [*words, "--help"])
        assert result.exit_code == 0, f"{name}: {result.output}"


def test_an_option_that_does_not_exist_would_be_noticed() -> None:
    assert CliRunner().invoke(build(), ["monitor", "serve", "--prot=1", "--help"]).exit_code == 2


def test_our_commands_are_those_of_the_local_stack(services: dict[str, Service], tmp_path: Path) -> None:
    plan = StackPlan(
        home=tmp_path,
        pairs=("BTC/USDT",),
        recipe="demo",
        timeframe="1m",
        strategy_id="demo",
        consumer_id="bot",
        bot_port=8712,
        monitor_port=8710,
        paper_port=8711,
        venue="",
        data=None,
        gateway_port=8720,
    )
    local = {
        "init": plan.init(),
        "paper-exchange": plan.paper_exchange(),
        "ingestion": plan.ingestion(),
        "research": plan.research(),
        "bot-config": plan.configure_bot(),
        "monitor": plan.monitor(),
        "gateway": plan.gateway(),
    }
    for name, words in local.items():
        ours = [word for word in services[name]["command"] if word != "quantbus"]
        assert ours[:2] == words[1:3], name
    bot = plan.bot(tmp_path)
    assert services["freqtrade"]["command"][:2] == ["freqtrade", bot[1]]


def test_the_bot_follows_the_strategy_that_research_publishes(
    services: dict[str, Service], example: dict[str, str]
) -> None:
    assert f"--strategy-id={example['STACK_STRATEGY_ID']}" in services["bot-config"]["command"]
    assert example["STACK_RECIPE"] in services["research"]["command"]
    assert f"--consumer-id={example['STACK_CONSUMER_ID']}" in services["bot-config"]["command"]
    monitor = services["monitor"]["environment"]
    assert monitor["QUANTBUS_MONITOR_FREQTRADE_CONSUMER"] == example["STACK_CONSUMER_ID"]


def test_prometheus_scrapes_services_at_ports_they_listen_on(
    root: Path, services: dict[str, Service]
) -> None:
    config = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())
    targets = [
        target
        for job in config["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    ]
    assert {target.partition(":")[0] for target in targets} == {"monitor", "ingestion", "research", "gateway"}
    for target in targets:
        name, port = target.split(":")
        command = services[name]["command"]
        assert f"--port={port}" in command or f"--metrics-port={port}" in command
        heard = services[name]["environment"].get(f"QUANTBUS_{name.upper()}_METRICS_HOST")
        assert "--host=0.0.0.0" in command or heard == "0.0.0.0"  # noqa: S104  # of the container


def test_every_name_of_the_example_is_explained_and_used(root: Path, example: dict[str, str]) -> None:
    lines = (root / ".env.example").read_text().splitlines()
    compose = (root / "docker-compose.yml").read_text()
    for name, value in example.items():
        above = lines[lines.index(f"{name}={value}") - 1]
        assert above.startswith("# "), f"{name} is not explained"
        assert f"${{{name}" in compose, f"{name} is not used"
        assert name.startswith("STACK_") or name in KNOWN_NAMES
    assert set(re.findall(r"\$\{(\w+)", compose)) == set(example)


def test_defaults_in_the_file_are_those_of_the_example(root: Path, example: dict[str, str]) -> None:
    compose = (root / "docker-compose.yml").read_text()
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", compose):
        assert example[name] == default


@pytest.mark.parametrize("role", ["services", "research", "executor"])
def test_each_image_is_built_from_the_lock_for_one_member_and_runs_as_nobody_special(
    root: Path, role: str
) -> None:
    text = (root / f"deploy/docker/{role}.Dockerfile").read_text()
    syncs = re.findall(r"uv sync .*", text)
    assert len(syncs) == 2
    for sync in syncs:
        assert "--frozen --no-dev" in sync
        assert f"--package quantbus-{role}" in sync
    assert "--no-editable" in syncs[1]
    assert text.rfind("\nUSER quantbus\n") > text.rfind("\nRUN ")
    for words in re.findall(r"^COPY (.+)$", text, flags=re.MULTILINE):
        sources = [word for word in words.split()[:-1] if not word.startswith("--")]
        if "--from=" not in words:
            assert all((root / source).exists() for source in sources), words


def test_every_build_uses_a_dockerfile_that_exists(root: Path, services: dict[str, Service]) -> None:
    for name in OURS:
        assert (root / services[name]["build"]["dockerfile"]).is_file()
