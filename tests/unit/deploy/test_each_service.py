"""Each service of docker-compose.yml by itself: what it reaches, holds, keeps and answers, and nothing beyond that."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.deploy.test_compose import ONE_SHOTS, OURS, PROFILES, Service, resolved

ROLES = ("services", "research", "executor", "replay")
READY = {
    "paper-exchange": "http://127.0.0.1:8711/health",
    "ingestion": "http://127.0.0.1:9101/metrics",
    "ingestion-live": "http://127.0.0.1:9101/metrics",
    "research": "http://127.0.0.1:9104/metrics",
    "account": "http://127.0.0.1:9105/metrics",
    "freqtrade": "http://127.0.0.1:8712/api/v1/health",
    "freqtrade-live": "http://127.0.0.1:8712/api/v1/health",
    "monitor": "http://127.0.0.1:8710/readyz",
    "gateway": "http://127.0.0.1:8720/readyz",
    "prometheus": "http://127.0.0.1:9090/-/ready",
    "alertmanager": "http://127.0.0.1:9093/-/ready",
    "grafana": "http://127.0.0.1:3000/api/health",
}
"""Where a service is asked whether it is ready; a member of MongoDB is asked for its port."""


@dataclass(frozen=True)
class Reach:
    """What one service may get at: networks, secrets, and volumes; ``:ro`` marks what it only reads."""

    networks: str = "bus"
    secrets: str = ""
    volumes: str = ""


PASSWORDS = "ingest research gateway executor account monitor operator migrate"
BOT = "executor_password bot_password"
REACH = {
    "mongo-key": Reach("", "mongod_key", "mongo-key mongo mongo-2 mongo-3"),
    "mongo": Reach(volumes="mongo mongo-key:ro"),
    "mongo-2": Reach(volumes="mongo-2 mongo-key:ro"),
    "mongo-3": Reach(volumes="mongo-3 mongo-key:ro"),
    "found": Reach(secrets="mongod_key admin_password"),
    "init": Reach(secrets=" ".join(f"{role}_password" for role in ["admin", *PASSWORDS.split()])),
    "paper-exchange": Reach("bus published", volumes="paper"),
    "ingestion": Reach(secrets="ingest_password"),
    "ingestion-live": Reach("bus egress", "ingest_password"),
    "research": Reach(secrets="research_password", volumes="research"),
    "bot-config": Reach(secrets="bot_password", volumes="freqtrade"),
    "bot-config-live": Reach(secrets="bot_password", volumes="freqtrade-live"),
    "freqtrade": Reach("bus published", BOT, "freqtrade"),
    "freqtrade-live": Reach("bus egress published", BOT, "freqtrade-live"),
    "account": Reach("bus egress", "account_password account_key account_secret"),
    "monitor": Reach("bus messages-false published", "monitor_password bot_password alert_token messengers"),
    "gateway": Reach("bus published", "gateway_password"),
    "quantbus": Reach(secrets="operator_password"),
    "replay": Reach(secrets="operator_password", volumes="replay"),
    "prometheus": Reach("bus published", volumes="prometheus"),
    "alertmanager": Reach("bus messages-false published", "alert_token smtp_password", "alertmanager"),
    "grafana": Reach("published", "grafana_password grafana_key", "grafana"),
}


@pytest.fixture(scope="module")
def model(root: Path) -> dict[str, Any]:
    return resolved(root, *PROFILES, STACK_REVISION="abc123")


@pytest.fixture(scope="module")
def services(model: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = model["services"]
    return found


def reach_of(service: Service) -> Reach:
    mounts = [mount for mount in service.get("volumes", []) if mount["type"] == "volume"]
    return Reach(
        " ".join(sorted(service.get("networks") or {})),
        " ".join(secret["source"] for secret in service.get("secrets", [])),
        " ".join(mount["source"] + (":ro" if mount.get("read_only") else "") for mount in mounts),
    )


def test_a_service_reaches_what_its_row_says_and_no_more(services: dict[str, Service]) -> None:
    assert {name: reach_of(service) for name, service in services.items()} == REACH


def test_what_lasts_is_in_volumes_of_the_file_and_files_of_the_host_are_only_read(
    root: Path, model: dict[str, Any], services: dict[str, Service]
) -> None:
    kept = {mount["source"] for service in services.values() for mount in service.get("volumes", [])}
    assert {name for name in kept if not name.startswith("/")} == set(model["volumes"])
    for name, service in services.items():
        for mount in service.get("volumes", []):
            if mount["type"] == "bind":
                assert mount["read_only"] is True, name
                assert Path(mount["source"]).is_relative_to(root / "deploy"), name


def test_bars_of_paper_and_of_a_market_can_have_databases_of_their_own(
    root: Path, services: dict[str, Service]
) -> None:
    live = resolved(root, *PROFILES, STACK_DATABASES="live")["services"]
    for name in OURS:
        for kind in ("market", "signals", "trading"):
            variable = f"QUANTBUS_{kind.upper()}_DB"
            assert services[name]["environment"][variable] == f"quantbus_{kind}", name
            assert live[name]["environment"][variable] == f"live_{kind}", name


def test_health_is_asked_where_the_service_says_that_it_is_ready(services: dict[str, Service]) -> None:
    asked = {}
    for name in services.keys() - ONE_SHOTS:
        words = services[name]["healthcheck"]["test"]
        asked[name] = next((word for word in words if word.startswith("http")), words[-1])
    members = {name: asked.pop(name) for name in ("mongo", "mongo-2", "mongo-3")}
    assert asked == READY
    assert set(members.values()) == {"exec 3<>/dev/tcp/127.0.0.1/27017"}


def test_the_bot_counts_as_healthy_only_while_its_loop_turns(services: dict[str, Service]) -> None:
    for name in ("freqtrade", "freqtrade-live"):
        assert "--loop-within=60" in services[name]["healthcheck"]["test"]


def test_what_serves_metrics_only_is_ready_once_the_bus_has_answered_it(services: dict[str, Service]) -> None:
    for name, address in READY.items():
        words = services[name]["healthcheck"]["test"]
        assert ("--says=quantbus_bus_up 1.0" in words) == address.endswith("/metrics"), name


def test_what_has_health_gives_up_only_after_a_while_and_is_asked_briefly(
    services: dict[str, Service],
) -> None:
    for name in services.keys() - ONE_SHOTS:
        health = services[name]["healthcheck"]
        assert health["retries"] >= 4, name
        assert health["timeout"] == "5s", name
        assert health["start_period"], name


def test_every_service_is_bounded_and_its_logs_are_rotated(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert 0 < float(service["cpus"]) <= 1, f"{name}: Docker refuses more than a small machine has"
        assert 0 < int(service["mem_limit"]) <= 2 * 2**30, name
        assert 0 < service["pids_limit"] <= 512, name
        assert service["logging"] == {
            "driver": "json-file",
            "options": {"max-file": "3", "max-size": "10m"},
        }, name
        assert service.get("init", False) is (name != "mongo-key"), name
        assert all(":size=" in place for place in service.get("tmpfs", [])), name
        assert "privileged" not in service, name
        assert "/var/run/docker.sock" not in str(service), name


def test_our_images_are_named_and_labelled_by_version_and_revision(
    root: Path, services: dict[str, Service]
) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    for name in OURS:
        service = services[name]
        assert service["image"] in {f"quantbus-{role}:{version}" for role in ROLES}, name
        assert "build" not in service or service["build"]["args"]["REVISION"] == "abc123", name
    for role in ROLES:
        text = (root / f"deploy/docker/{role}.Dockerfile").read_text()
        last = text.rpartition("\nFROM ")[2]
        assert f"\nARG VERSION={version}\n" in last
        assert f'org.opencontainers.image.title="quantbus-{role}"' in last
        assert 'org.opencontainers.image.version="${VERSION}"' in last
        assert 'org.opencontainers.image.revision="${REVISION}"' in last


@pytest.mark.parametrize("role", ROLES)
def test_what_builds_an_image_does_not_stay_in_it(root: Path, role: str) -> None:
    build, _, last = (root / f"deploy/docker/{role}.Dockerfile").read_text().rpartition("\nFROM ")
    assert re.search(r"\buv sync\b", build)
    assert not re.search(r"\b(uv|pip|gcc|g\+\+|make|build-essential|curl|git)\b", last)
    assert re.findall(r"^COPY --from=build (\S+)", last, flags=re.MULTILINE) == ["/opt/quantbus"]


def test_the_members_of_the_set_differ_in_their_data_alone(services: dict[str, Service]) -> None:
    def but_data(name: str) -> dict[str, Any]:
        kept = {key: value for key, value in services[name].items() if key != "profiles"}
        return {**kept, "volumes": [mount for mount in kept["volumes"] if mount["target"] != "/data/db"]}

    assert but_data("mongo-2") == but_data("mongo-3") == but_data("mongo")
    data = [
        mount["source"]
        for name in ("mongo", "mongo-2", "mongo-3")
        for mount in services[name]["volumes"]
        if mount["target"] == "/data/db"
    ]
    assert len(set(data)) == 3


def test_nothing_leaves_volumes_without_a_name(services: dict[str, Service]) -> None:
    """The image of MongoDB declares two, and Compose makes one for each that nothing stands over."""
    for name, service in services.items():
        if service["image"].startswith("mongo:"):
            over = {mount["target"] for mount in service["volumes"]}
            over |= {mount.partition(":")[0] for mount in service.get("tmpfs", [])}
            assert {"/data/db", "/data/configdb"} <= over, name
