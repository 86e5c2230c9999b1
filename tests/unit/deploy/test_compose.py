"""docker-compose.yml as Compose itself resolves it; no engine is needed for that."""

import itertools
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
PAPER = ("paper-exchange", "ingestion", "bot-config", "freqtrade")
LIVE = ("ingestion-live", "bot-config-live", "freqtrade-live")
ALWAYS = ("found", "init", "research", "monitor", "gateway")
TOWERS = ("prometheus", "alertmanager", "grafana")
OURS = (*ALWAYS, *PAPER, *LIVE, "account", "quantbus", "replay")
ONE_SHOTS = {"mongo-key", "found", "init", "bot-config", "bot-config-live", "quantbus", "replay"}
BASIC = {"mongo-key", "mongo", *ALWAYS}
MEMBERS = {"mongo", "mongo-2", "mongo-3"}
PROFILES = {
    "paper": BASIC | {*PAPER},
    "live": BASIC | {*LIVE},
    "account": BASIC | {"account"},
    "monitoring": BASIC | {*TOWERS},
    "ha": BASIC | MEMBERS,
    "replay": BASIC | {"replay"},
    "tools": BASIC | {"quantbus"},
}
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"


def tool(name: str) -> str:
    found = Path(sys.executable).parent / name
    return str(found) if found.exists() else shutil.which(name) or pytest.fail(f"{name} is not installed")


def resolved(root: Path, *profiles: str, files: tuple[str, ...] = (), **environment: str) -> dict[str, Any]:
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    chosen += [word for file in files for word in ("--file", file)]
    command = [tool("docker-compose"), "--env-file", ".env.example", *chosen, "config", "--format", "json"]
    told = {"PATH": "", "COMPOSE_PROFILES": "", **environment}
    done = subprocess.run(command, cwd=root, env=told, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    model: dict[str, Any] = json.loads(done.stdout)
    return model


@pytest.fixture(scope="module")
def model(root: Path) -> dict[str, Any]:
    return resolved(root, *PROFILES)


@pytest.fixture(scope="module")
def services(model: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = model["services"]
    return found


@pytest.fixture(scope="module")
def example(root: Path) -> dict[str, str]:
    lines = [line for line in (root / ".env.example").read_text().splitlines() if line[:1] not in ("#", "")]
    return dict(line.split("=", 1) for line in lines)


def test_the_file_satisfies_the_compose_specification(root: Path) -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(command, cwd=root, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_adds_its_own_services_and_no_others(root: Path, profile: str) -> None:
    assert set(resolved(root, profile)["services"]) == PROFILES[profile]


def test_two_profiles_together_add_what_each_adds(root: Path) -> None:
    for one, other in itertools.combinations(PROFILES, 2):
        found = set(resolved(root, one, other)["services"])
        assert found == PROFILES[one] | PROFILES[other], f"{one} with {other}"


def test_the_example_runs_the_paper_stack_with_its_monitoring(root: Path, example: dict[str, str]) -> None:
    chosen = example["COMPOSE_PROFILES"].split(",")
    assert set(resolved(root, *chosen)["services"]) == PROFILES["paper"] | PROFILES["monitoring"]


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
        "freqtrade-live": [("127.0.0.1", "8712", 8712)],
        "monitor": [("127.0.0.1", "8710", 8710)],
        "gateway": [("127.0.0.1", "8720", 8720)],
        "prometheus": [("127.0.0.1", "9090", 9090)],
        "alertmanager": [("127.0.0.1", "9093", 9093)],
        "grafana": [("127.0.0.1", "3000", 3000)],
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


def test_what_the_example_offers_to_run_holds_up_no_wait(root: Path) -> None:
    """``up --wait`` fails over a container that ends, unless another waits for its end."""
    said = re.search(r"^# Which parts run: ([a-z, ]+);", (root / ".env.example").read_text(), re.MULTILINE)
    assert said is not None
    offered = said[1].split(", ")
    assert {"paper", "live", "account", "monitoring", "ha"} == set(offered)
    services = resolved(root, *offered)["services"]
    waited_for = {name for service in services.values() for name in service.get("depends_on", {})}
    assert ONE_SHOTS & services.keys() <= waited_for


def test_everything_that_uses_the_bus_waits_until_it_is_prepared(services: dict[str, Service]) -> None:
    assert set(services["found"]["depends_on"]) == {"mongo"}
    assert set(services["init"]["depends_on"]) == {"found"}
    uses_bus = set(OURS) - ONE_SHOTS - {"paper-exchange"} | {"replay"}
    for name in uses_bus:
        assert "init" in services[name]["depends_on"], name


def test_every_process_knows_its_own_password_of_the_bus_and_nobody_elses(
    services: dict[str, Service],
) -> None:
    for name in set(OURS) - {"found", "init", "paper-exchange", "bot-config", "bot-config-live"}:
        environment = services[name]["environment"]
        role = environment["QUANTBUS_MONGO_USER"].removeprefix("quantbus_")
        assert environment["QUANTBUS_MONGO_PASSWORD_FILE"] == f"/run/secrets/{role}_password", name
        held = {secret["source"] for secret in services[name]["secrets"]}
        passwords = {secret for secret in held if secret.endswith("_password")} - {"bot_password"}
        assert passwords == {f"{role}_password"}, name


def test_no_secret_stands_in_the_model(model: dict[str, Any], services: dict[str, Service]) -> None:
    assert {key for secret in model["secrets"].values() for key in secret} == {"name", "file"}
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            secret = any(word in key for word in ("PASSWORD", "SECRET", "TOKEN", "_KEY"))
            assert not secret or key.endswith("_FILE"), f"{name}: {key}={value}"


def test_no_container_is_root_writes_its_image_or_gains_rights(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert name == "mongo-key" or "cap_add" not in service, name
        assert name == "mongo-key" or service.get("user", "the image's own") != "0:0", name
    assert services["mongo-key"]["network_mode"] == "none", "what is root has no network"


def test_only_the_live_profile_and_the_account_reach_the_world(
    model: dict[str, Any], services: dict[str, Service]
) -> None:
    networks = model["networks"]
    assert networks["bus"]["internal"] is True
    assert networks["published"]["driver_opts"] == {MASQUERADE: "false"}
    assert networks["messages-false"]["driver_opts"] == {MASQUERADE: "false"}
    outside = {name for name, service in services.items() if "egress" in (service.get("networks") or {})}
    assert outside == {"ingestion-live", "freqtrade-live", "account"}
    for name, service in services.items():
        assert ("published" in (service.get("networks") or {})) == bool(service.get("ports")), name


def test_the_way_out_of_a_container_is_the_network_that_leads_out(
    model: dict[str, Any], services: dict[str, Service]
) -> None:
    """Hold to how an engine chooses: the default route is of the first by name of what is not internal."""
    for name, service in services.items():
        joined = {network: model["networks"][network] for network in service.get("networks") or {}}
        routes = sorted(
            (told["name"], network) for network, told in joined.items() if not told.get("internal")
        )
        for wanted in {"egress", "messages-false"} & joined.keys():
            assert routes[0][1] == wanted, f"{name}: all that leaves goes to {routes[0][1]} and ends there"


def test_messengers_are_reached_only_where_the_environment_says_so(root: Path) -> None:
    """In another network, since an older Compose changes nothing about one that stands."""
    closed, opened = resolved(root, "monitoring"), resolved(root, "monitoring", STACK_MESSAGES="true")
    for name in ("monitor", "alertmanager"):
        assert set(closed["services"][name]["networks"]) == {"bus", "messages-false", "published"}
        assert set(opened["services"][name]["networks"]) == {"bus", "messages-true", "published"}
    assert "driver_opts" not in opened["networks"]["messages-true"]
    names = [told["name"] for told in (opened["networks"][key] for key in ("messages-true", "published"))]
    assert names == sorted(names), "the way out is the first by name"


def test_a_bot_of_the_live_profile_makes_a_dry_run_in_a_place_of_its_own(
    services: dict[str, Service],
) -> None:
    command = services["bot-config-live"]["command"]
    assert "--base=/opt/user_data/config.dryrun.json" in command
    assert "--live" not in command
    paper, live = (
        {mount["source"] for mount in services[name]["volumes"]} for name in ("freqtrade", "freqtrade-live")
    )
    assert not paper & live, "trades of paper and live never mix"


def test_every_environment_name_is_one_that_something_reads(services: dict[str, Service]) -> None:
    for name in OURS:
        unknown = set(services[name]["environment"]) - set(KNOWN_NAMES) - {"TMPDIR"}  # Python's own
        assert {key for key in unknown if not key.startswith("FREQTRADE__")} == set(), name


def test_the_database_is_as_careful_as_the_embedded_one(services: dict[str, Service]) -> None:
    command = services["mongo"]["command"]
    assert {"--replSet=quantbus", "--noscripting", "--networkMessageCompressors=snappy,zstd"} <= set(command)
    assert {"--auth", "--keyFile=/etc/quantbus-mongo/mongod.key"} <= set(command)
    for member in MEMBERS:
        assert services[member]["command"] == command
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
    targets = {
        target.partition(":")[0]: target.partition(":")[2]
        for job in config["scrape_configs"]
        for group in job.get("static_configs", [])
        for target in group["targets"]
    }
    assert set(targets) == {"monitor", "ingestion", "research", "gateway", "alertmanager"}
    assert services["alertmanager"]["ports"][0]["target"] == int(targets.pop("alertmanager"))
    for name, port in targets.items():
        command = services[name]["command"]
        assert f"--port={port}" in command or f"--metrics-port={port}" in command
        heard = services[name]["environment"].get(f"QUANTBUS_{name.upper()}_METRICS_HOST")
        assert "--host=0.0.0.0" in command or heard == "0.0.0.0"  # noqa: S104  # of the container


def test_prometheus_misses_the_account_service_only_where_it_runs(
    root: Path, services: dict[str, Service]
) -> None:
    config = yaml.safe_load((root / "deploy/prometheus/prometheus.yml").read_text())
    [asked] = [job["dns_sd_configs"][0] for job in config["scrape_configs"] if "dns_sd_configs" in job]
    environment = services["account"]["environment"]
    assert asked["names"] == ["account"]
    assert str(asked["port"]) == environment["QUANTBUS_ACCOUNT_METRICS_PORT"]
    assert environment["QUANTBUS_ACCOUNT_METRICS_HOST"] == "0.0.0.0"  # noqa: S104  # of the container


def test_every_name_of_the_example_is_explained_and_used(root: Path, example: dict[str, str]) -> None:
    lines = (root / ".env.example").read_text().splitlines()
    compose = (root / "docker-compose.yml").read_text()
    for name, value in example.items():
        above = lines[lines.index(f"{name}={value}") - 1]
        assert above.startswith("# "), f"{name} is not explained"
        assert name == "COMPOSE_PROFILES" or f"${{{name}" in compose, f"{name} is not used"
        assert name.startswith(("STACK_", "COMPOSE_")) or name in KNOWN_NAMES
    assert set(re.findall(r"\$\{(\w+)", compose)) == set(example) - {"COMPOSE_PROFILES"}


def test_defaults_in_the_file_are_those_of_the_example(root: Path, example: dict[str, str]) -> None:
    compose = (root / "docker-compose.yml").read_text()
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", compose):
        assert example[name] == default


@pytest.mark.parametrize(
    ("role", "member"),
    [("services", "services"), ("research", "research"), ("executor", "executor"), ("replay", "executor")],
)
def test_each_image_is_built_from_the_lock_for_one_member_and_runs_as_nobody_special(
    root: Path, role: str, member: str
) -> None:
    text = (root / f"deploy/docker/{role}.Dockerfile").read_text()
    syncs = re.findall(r"uv sync .*", text)
    assert len(syncs) == 2
    for sync in syncs:
        assert "--frozen --no-dev" in sync
        assert f"--package quantbus-{member}" in sync
    assert "--no-editable" in syncs[1]
    number = re.search(r"useradd --uid (\d+) ", text)
    assert number is not None
    assert text.rfind(f"\nUSER {number[1]}\n") > text.rfind("\nRUN ")
    for words in re.findall(r"^COPY (.+)$", text, flags=re.MULTILINE):
        sources = [word for word in words.split()[:-1] if not word.startswith("--")]
        if "--from=" not in words:
            assert all((root / source).exists() for source in sources), words


def test_an_image_is_built_by_one_of_the_services_that_come_up_together(root: Path) -> None:
    """Two builds of one name race, and the loser either fails or leaves the other's image without its name."""
    also = ("account", "monitoring", "ha")
    sets = [chosen for many in range(len(also) + 1) for chosen in itertools.combinations(also, many)]
    for bot, others in itertools.product(("paper", "live"), sets):
        services = resolved(root, bot, *others)["services"].values()
        used = {service["image"] for service in services if service["image"].startswith("quantbus-")}
        assert sorted(service["image"] for service in services if "build" in service) == sorted(used)


def test_what_is_run_by_itself_can_be_built_by_itself(services: dict[str, Service]) -> None:
    for name in ("quantbus", "replay"):
        assert "build" in services[name], name


def test_nobody_is_asked_for_an_image_of_ours(services: dict[str, Service]) -> None:
    for name in OURS:
        assert services[name]["pull_policy"] == "never", name


def test_every_build_uses_a_dockerfile_that_exists(root: Path, services: dict[str, Service]) -> None:
    built = {}
    for name in OURS:
        if "build" in services[name]:
            built[services[name]["image"]] = services[name]["build"]["dockerfile"]
    assert set(built) == {services[name]["image"] for name in OURS}
    for image, dockerfile in built.items():
        role = image.partition(":")[0].removeprefix("quantbus-")
        assert dockerfile == f"deploy/docker/{role}.Dockerfile"
        assert (root / dockerfile).is_file()
