"""The profile `ha` for real: a backup restored into three new members, and a primary that dies."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.compose.conftest import BACKUP, Stack, a_stack, await_true
from tests.compose.engine import Engine

pytestmark = [pytest.mark.compose, pytest.mark.timeout(2_400)]

MEMBERS = ("mongo", "mongo-2", "mongo-3")
GATEWAY = "http://127.0.0.1:8720"
TELL = Console(width=120)


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    members = ",".join(f"{member}:27017" for member in MEMBERS)
    settings = {"COMPOSE_PROFILES": "ha", "STACK_MONGO_MEMBERS": members}
    with a_stack(engine, tmp_path_factory.mktemp("checkout"), **settings) as made:
        TELL.print(f"three members up in {made.up(*MEMBERS):.0f} s")
        yield made


@pytest.fixture(scope="module")
def restored(stack: Stack, backups: Path) -> None:
    """Restore as docs/backup.md says, before anything else stands on the bus."""
    assert (backups / BACKUP).is_dir(), "test_stack.py makes the backup: run the whole folder"
    stack.compose(
        *("run", "--rm", "-T", "-v", f"{backups}:/backups"),
        *("-e", "QUANTBUS_MONGO_USER=quantbus_admin"),
        *("-e", "QUANTBUS_MONGO_PASSWORD_FILE=/run/secrets/admin_password"),
        *("init", "bus", "restore", f"/backups/{BACKUP}"),
    )


@pytest.fixture(scope="module")
def key(stack: Stack, restored: None) -> str:
    stack.up("gateway")
    told = stack.quantbus(
        "keys", "create", "--name", "ha", "--scope", "admin", "--strategy", "outside", "--json"
    )
    return f"Bearer {json.loads(told)['secret']}"


def primary(stack: Stack) -> str | None:
    """Ask the members who of them is primary, as anybody may."""
    asked = (
        "import pymongo\n"
        f"for name in {MEMBERS}:\n"
        " try:\n"
        "  c = pymongo.MongoClient(name, directConnection=True, serverSelectionTimeoutMS=2000)\n"
        "  if c.admin.command('hello').get('isWritablePrimary'): print(name)\n"
        " except pymongo.errors.PyMongoError: pass\n"
    )
    told = stack.compose("exec", "-T", "gateway", "python", "-c", asked, check=False).split()
    return told[0] if told else None


def publish(stack: Stack, key: str, minutes_ago: int) -> tuple[int, Any]:
    bar = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes_ago)
    row = {
        **{"strategy_id": "outside", "symbol": "BINANCE:BTCUSDT", "pair": "BTC/USDT", "timeframe": "1m"},
        **{"ts": f"{bar:%Y-%m-%dT%H:%M:%SZ}", "action": "enter_long"},
    }
    return stack.engine.ask("POST", f"{GATEWAY}/v1/signals", [row], authorization=key)


def test_what_was_backed_up_stands_in_the_new_members(stack: Stack, key: str) -> None:
    listed = json.loads(stack.quantbus("signals", "list", "--strategy-id", "outside", "--json"))
    assert listed, "the signals of the stack that was backed up"
    assert "outside" in stack.quantbus("strategies", "list")
    stack.quantbus("audit", "verify")


def test_publishing_goes_on_when_the_primary_is_killed(stack: Stack, key: str) -> None:
    assert publish(stack, key, 1)[0] == 200
    first = primary(stack)
    assert first is not None
    os.kill(int(stack.state(stack.containers()[first], ".State.Pid")), signal.SIGKILL)

    def published() -> object:
        status, told = publish(stack, key, 2)
        return status == 200 or (status, told)

    waited = await_true("a signal is taken again", 60, published)
    TELL.print(f"{first} killed; signals are taken again after {waited:.1f} s")

    def healed() -> object:
        health = stack.state(stack.containers()[first], ".State.Health.Status")
        return health == "healthy" or health

    await_true("the killed member is back", 120, healed)


def test_a_second_up_founds_nothing_anew(stack: Stack, key: str) -> None:
    before = stack.quantbus("signals", "list", "--strategy-id", "outside", "--json")
    stack.up("gateway")
    assert stack.quantbus("signals", "list", "--strategy-id", "outside", "--json") == before
    again = ["sh", "deploy/docker/make-secrets.sh"]
    made = subprocess.run(again, cwd=stack.folder, check=True, capture_output=True, text=True)
    assert made.stdout == ""
    assert publish(stack, key, 3)[0] == 200
