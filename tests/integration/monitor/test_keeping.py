"""Findings and blocks on a real bus: taken on, lifted, kept by two monitors at once, and after a SIGKILL."""

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.controls import AsyncControlStore, ControlStore
from quantbus_contracts.mongo.findings import AsyncFindingStore, FindingStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Control, ControlKind
from quantbus_services.monitor.board import Outcome
from quantbus_services.monitor.findings import Finding, Severity
from quantbus_services.monitor.keeping import FindingKeeper
from tests.integration.monitor.running import QUANTBUS, environment

pytestmark = [pytest.mark.integration, pytest.mark.proof]
ROOT = Path(__file__).resolve().parents[3]
FLAT = Finding(
    kind="account_flat",
    severity=Severity.CRITICAL,
    subject="bot BTC/USDT #1",
    message="the bot believes to hold 1 BTC, but the account holds none",
    action="look at the venue",
    pair="BTC/USDT",
    evidence="bot 1 long, account 0",
    blocks="pair:BTC/USDT",
)


def keeper(connection: AsyncConnection, *, blocking: bool = True, instance: str = "a") -> FindingKeeper:
    return FindingKeeper(
        AsyncFindingStore(connection), AsyncControlStore(connection), instance=instance, blocking=blocking
    )


async def keep(
    made: FindingKeeper, connection: AsyncConnection, *findings: Finding, error: str | None = None
) -> None:
    now = await connection.server_now()
    await made.keep([Outcome("position_mismatch", now, findings, error)], now)


def blocks(connection: Connection, source: str = "monitor") -> list[str]:
    snapshot = ControlStore(connection).snapshot()
    return [one.scope for one in snapshot.controls if one.source == source and one.is_active(snapshot.now)]


def quantbus(mongo: MongoSettings, folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [QUANTBUS, "monitor", *words],
        env=environment(mongo, folder, COLUMNS="300"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


async def test_a_block_stands_as_long_as_its_finding_and_touches_no_other_source(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    now = connection.server_now()
    theirs = Control(
        scope="pair:BTC/USDT", source="operator", kind=ControlKind.HALT, reason="mine", at=now, by="me"
    )
    ControlStore(connection).put(theirs)
    made = keeper(async_connection)
    await keep(made, async_connection, FLAT)
    assert blocks(connection) == ["pair:BTC/USDT"]
    await keep(made, async_connection, error="the bot does not answer")
    assert blocks(connection) == ["pair:BTC/USDT"]
    await keep(made, async_connection)
    assert blocks(connection) == []
    assert blocks(connection, "operator") == ["pair:BTC/USDT"]
    assert FindingStore(connection).snapshot().findings == ()


async def test_blocking_can_be_switched_off_and_what_stands_is_lifted_all_the_same(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    quiet = keeper(async_connection, blocking=False)
    await keep(quiet, async_connection, FLAT)
    assert blocks(connection) == []
    await keep(keeper(async_connection), async_connection, FLAT)
    assert blocks(connection) == ["pair:BTC/USDT"]
    await keep(quiet, async_connection, FLAT)
    assert blocks(connection) == []


async def test_a_finding_is_taken_on_from_the_command_line_until_more_differs(
    connection: Connection, async_connection: AsyncConnection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    made = keeper(async_connection)
    await keep(made, async_connection, FLAT)
    code, told = await asyncio.to_thread(quantbus, mongo_settings, tmp_path, "findings", "--json")
    (row,) = json.loads(told)
    assert (code, row["kind"], row["acknowledged"]) == (1, "account_flat", False)
    words = ("ack", row["finding_id"], "--reason", "sold by hand", "--by", "anna", "--until", "2h")
    code, told = await asyncio.to_thread(quantbus, mongo_settings, tmp_path, *words)
    assert (code, "anna" in told) == (0, True)
    await keep(made, async_connection, FLAT)
    assert blocks(connection) == []
    code, told = await asyncio.to_thread(quantbus, mongo_settings, tmp_path, "findings")
    assert (code, "sold by hand" in told) == (0, True)
    await keep(made, async_connection, replace(FLAT, evidence="bot 1 long, account 0.5"))
    assert blocks(connection) == ["pair:BTC/USDT"]
    code, told = await asyncio.to_thread(quantbus, mongo_settings, tmp_path, "ack", "0" * 12, "--reason", "x")
    assert (code, "quantbus monitor findings" in " ".join(told.split())) == (2, True)


async def test_two_monitors_at_once_keep_one_finding_and_one_block(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    one, other = keeper(async_connection), keeper(async_connection, instance="b")
    for _ in range(5):
        await asyncio.gather(keep(one, async_connection, FLAT), keep(other, async_connection, FLAT))
    (row,) = FindingStore(connection).snapshot().findings
    assert row.episode == 1
    assert blocks(connection) == ["pair:BTC/USDT"]
    await asyncio.gather(keep(one, async_connection), keep(other, async_connection))
    await keep(one, async_connection)
    assert blocks(connection) == []
    assert connection.collection("findings").count_documents({}) == 1


async def test_a_monitor_that_watches_another_bot_does_not_close_what_it_never_saw(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    await keep(keeper(async_connection), async_connection, FLAT)
    await keep(keeper(async_connection, instance="b"), async_connection)
    assert blocks(connection) == ["pair:BTC/USDT"]


@pytest.mark.parametrize(("owner", "standing"), [("other", ["pair:BTC/USDT"]), ("bot", [])])
async def test_what_nobody_looks_at_any_more_is_closed_by_a_monitor_of_the_same_bot_only(
    connection: Connection, async_connection: AsyncConnection, owner: str, standing: list[str]
) -> None:
    await keep(keeper(async_connection), async_connection, FLAT)
    now = await async_connection.server_now()
    then = now - timedelta(minutes=4)
    long_ago = {"$set": {"first_seen": then, "last_seen": then}}
    connection.collection("findings").update_many({}, long_ago)
    survivor = keeper(async_connection, instance="b")
    await survivor.keep([Outcome("position_mismatch", now, owner=owner)], now)
    assert blocks(connection) == standing


DYING = """
import asyncio, os, signal
from quantbus_contracts.mongo.client import connect_async
from quantbus_contracts.mongo.controls import AsyncControlStore
from quantbus_contracts.mongo.findings import AsyncFindingStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.monitor.board import Outcome
from quantbus_services.monitor.keeping import FindingKeeper
from tests.integration.monitor.test_keeping import FLAT


class Dying(AsyncControlStore):
    async def put(self, control):
        os.kill(os.getpid(), signal.SIGKILL)


async def main():
    connection = connect_async(MongoSettings(), app="dying")
    keeper = FindingKeeper(AsyncFindingStore(connection), Dying(connection), instance="a", blocking=True)
    now = await connection.server_now()
    await keeper.keep([Outcome("position_mismatch", now, (FLAT,))], now)


asyncio.run(main())
"""


async def test_a_monitor_that_is_killed_between_finding_and_block_blocks_at_its_next_look(
    connection: Connection, async_connection: AsyncConnection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DYING],
        env=environment(mongo_settings, tmp_path, PYTHONPATH=str(ROOT)),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    (row,) = FindingStore(connection).snapshot().findings
    first_seen: datetime = row.first_seen
    assert blocks(connection) == []
    await keep(keeper(async_connection), async_connection, FLAT)
    assert blocks(connection) == ["pair:BTC/USDT"]
    (row,) = FindingStore(connection).snapshot().findings
    assert (row.episode, row.first_seen) == (1, first_seen)
