"""`docker compose up` for real: a signal from outside becomes an order, everything heals, nothing is left."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.compose.conftest import ENVIRONMENT, PROJECT, Stack, a_stack, await_true
from tests.compose.engine import Engine

pytestmark = [pytest.mark.compose, pytest.mark.timeout(2_400)]

MONITOR, BOT, GATEWAY, PROMETHEUS = (f"http://127.0.0.1:{port}" for port in (8710, 8712, 8720, 9090))
TELL = Console(width=120)
HEAL_SECONDS = 240


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"COMPOSE_PROFILES": "paper,monitoring", "STACK_STRATEGY_ID": "outside"}
    with a_stack(engine, tmp_path_factory.mktemp("checkout"), **settings) as made:
        TELL.print(f"up and healthy in {made.up():.0f} s")
        yield made


@pytest.fixture(scope="module")
def key(stack: Stack) -> str:
    """Declare a strategy of somebody outside, and make a key for it."""
    stack.quantbus(
        *("strategies", "declare", "outside", "--venue", "BINANCE", "--pairs", "BTC/USDT,ETH/USDT"),
        *("--timeframe", "1m"),
    )
    told = stack.quantbus(
        "keys", "create", "--name", "e2e", "--scope", "admin", "--strategy", "outside", "--json"
    )
    return f"Bearer {json.loads(told)['secret']}"


def publish(stack: Stack, key: str, pair: str, action: str) -> str:
    """Publish through the gateway, from outside, what the newest closed bar says; return the signal's id."""
    bar = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    row = {
        **{
            "strategy_id": "outside",
            "symbol": f"BINANCE:{pair.replace('/', '')}",
            "pair": pair,
            "timeframe": "1m",
        },
        **{"ts": bar.isoformat().replace("+00:00", "Z"), "action": action},
    }
    status, report = stack.engine.ask("POST", f"{GATEWAY}/v1/signals", [row], authorization=key)
    assert status == 200, report
    (signal_id,) = report["signal_ids"]
    return str(signal_id)


def ledger_state(stack: Stack, key: str, signal_id: str) -> str | None:
    status, told = stack.engine.ask("GET", f"{GATEWAY}/v1/signals/{signal_id}", authorization=key)
    if status != 200:
        return None
    rows: list[dict[str, Any]] = told["executions"]
    return str(rows[0]["state"]) if rows else "no row"


def filled(stack: Stack, key: str, signal_id: str) -> object:
    state = ledger_state(stack, key, signal_id)
    return True if state == "filled" else state


def test_everything_is_up_and_healthy(stack: Stack) -> None:
    for service, container in stack.containers().items():
        assert stack.state(container, ".State.Health.Status") == "healthy", service


def test_a_signal_from_outside_becomes_an_order_that_monitor_and_prometheus_know(
    stack: Stack, key: str
) -> None:
    signal_id = publish(stack, key, "BTC/USDT", "enter_long")
    waited = await_true("the order is filled", 90, partial(filled, stack, key, signal_id))
    TELL.print(f"published outside, filled and told by the ledger after {waited:.1f} s")

    def in_monitor() -> object:
        status, told = stack.engine.ask("GET", f"{MONITOR}/status")
        consumers = told["consumers"] if status == 200 else []
        return any(row["states"].get("filled") for row in consumers) or told

    await_true("the monitor tells of the fill", 60, in_monitor)

    def in_prometheus() -> object:
        query = "quantbus_strategy_run_due_timestamp_seconds"
        status, told = stack.engine.ask("GET", f"{PROMETHEUS}/api/v1/query?query={query}")
        return bool(status == 200 and told["data"]["result"]) or told

    await_true("Prometheus has the monitor's figures", 60, in_prometheus)


def test_the_doctor_finds_the_installation_sound(stack: Stack) -> None:
    doctor = (sys.executable, "-m", "quantbus_contracts.cli", "doctor", "--compose", ".", "--json")
    told: dict[str, Any] = {}

    def sound() -> object:
        done = stack.engine.beside(*doctor, folder=stack.folder, environment=ENVIRONMENT)
        told.update(json.loads(done.stdout))
        wrong = [row for row in told["findings"] if row["status"] in ("fail", "unknown")]
        return done.returncode == 0 or wrong or done.stderr

    # Alertmanager hears the first Watchdog after a minute.
    await_true("everything is sound", 150, sound)
    looked = {row["check"] for row in told["findings"] if row["status"] == "ok"}
    assert {"access-control", "roles", "replica-set", "containers", "published-ports"} <= looked
    assert {"venue", "bot-config", "monitor", "gateway", "prometheus", "targets", "alertmanager"} <= looked


def test_the_backup_of_the_docs_is_made_and_reads_back(stack: Stack, key: str, backups: Path) -> None:
    page = (stack.folder / "docs" / "backup.md").read_text()
    (line,) = re.findall(r"docker compose (run [^`]*?bus backup /backups/\S+)", page)
    words = line.replace("\\\n", " ").replace('"$PWD/backups:/backups"', f"{backups}:/backups").split()
    stack.compose(*words)
    stack.compose(
        *(word.replace("backup", "restore") if word == "backup" else word for word in words), "--what-if"
    )


def test_the_nightly_backup_keeps_as_many_as_it_is_told(stack: Stack, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("deploy/backup.sh gives its folder to the containers' user, which takes root")
    for _ in range(2):
        nightly = ("sh", "deploy/backup.sh", str(tmp_path), "1")
        done = stack.engine.beside(*nightly, folder=stack.folder, environment=ENVIRONMENT)
        assert done.returncode == 0, done.stdout + done.stderr
    (kept,) = tmp_path.iterdir()
    assert (kept / "manifest.json").is_file()
    assert "removed" in done.stdout


def test_what_is_on_the_bus_needs_a_password(stack: Stack) -> None:
    asked = "import pymongo; pymongo.MongoClient('mongo', serverSelectionTimeoutMS=5000).quantbus_signals.x.find_one()"
    words = ("run", "--rm", "-T", "--no-deps", "--entrypoint", "python", "gateway", "-c", asked)
    with pytest.raises(AssertionError, match=r"requires authentication|Unauthorized"):
        stack.compose(*words)


def test_no_container_reaches_the_world_or_writes_its_image(stack: Stack) -> None:
    for service in ("research", "freqtrade", "monitor"):
        with pytest.raises(AssertionError, match="Read-only file system"):
            stack.compose("exec", "-T", service, "python", "-c", "open('/opt/x', 'w')")
        assert stack.compose("exec", "-T", service, "id", "-u").strip() == "10001"


def test_after_each_container_was_killed_once_the_stack_heals_and_trades(stack: Stack, key: str) -> None:
    for service, container in stack.containers().items():
        before = stack.state(container, ".State.StartedAt")
        os.kill(int(stack.state(container, ".State.Pid")), signal.SIGKILL)
        healed = await_true(f"{service} is back", HEAL_SECONDS, partial(is_back, stack, container, before))
        TELL.print(f"{service}: killed, healthy again after {healed:.0f} s")
    exit_id = publish(stack, key, "BTC/USDT", "exit_long")
    entry_id = publish(stack, key, "ETH/USDT", "enter_long")
    for signal_id in (exit_id, entry_id):
        await_true("the order after the kills is filled", 120, partial(filled, stack, key, signal_id))


def is_back(stack: Stack, container: str, started_before: str) -> object:
    health = stack.state(container, ".State.Health.Status")
    return (stack.state(container, ".State.StartedAt") != started_before and health == "healthy") or health


def test_what_was_lived_through_is_replayed(stack: Stack) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    begin, end = now - timedelta(minutes=5), now - timedelta(minutes=1)
    told = stack.compose(
        *("run", "--build", "--rm", "-T", "replay"),
        settings={
            "STACK_STRATEGY_ID": "demo",
            "STACK_REPLAY_FROM": f"{begin:%Y-%m-%dT%H:%M:%SZ}",
            "STACK_REPLAY_TO": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        },
        timeout=900,
    )
    assert "backtest" in told
    assert "simulated" in told


MONEY = {
    "COMPOSE_FILE": "docker-compose.yml:deploy/compose/money.yml",
    "COMPOSE_PROFILES": "live",
    "STACK_MONEY": "I-have-signed-the-checklist",
    "STACK_MONEY_CONSUMER": "bot-of-the-test",
    "STACK_MONEY_CAPITAL": "100",
    "STACK_MONEY_STAKE": "20",
}
ONCE = ("run", "--rm", "--no-deps", "-T")


@pytest.fixture
def without_a_key(stack: Stack, engine: Engine) -> Iterator[None]:
    for name in ("bot.key", "bot.secret"):
        (stack.folder / "secrets" / name).touch(mode=0o444)
    yield
    engine.docker("volume", "rm", "--force", f"{PROJECT}_freqtrade-money")


@pytest.mark.usefixtures("without_a_key")
def test_nothing_starts_towards_real_orders_without_a_signature_and_a_key(stack: Stack) -> None:
    with pytest.raises(AssertionError, match="STACK_MONEY is not I-have-signed-the-checklist"):
        stack.compose(*ONCE, "bot-signed", settings={**MONEY, "STACK_MONEY": "yes"})
    stack.compose(*ONCE, "bot-signed", settings=MONEY)
    stack.compose(*ONCE, "bot-config-live", settings=MONEY)
    with pytest.raises(AssertionError, match="bot-check-live ended with 1") as refused:
        stack.compose(*ONCE, "bot-check-live", settings=MONEY)
    assert "FREQTRADE__EXCHANGE__KEY" in str(refused.value)


def test_down_leaves_nothing(stack: Stack, engine: Engine) -> None:
    stack.down()
    label = f"label=com.docker.compose.project={PROJECT}"
    for what in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        assert engine.docker(*what, "--quiet", "--filter", label) == "", what
