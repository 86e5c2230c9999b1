"""The account service against the paper exchange, over HTTP and with a real bus; its command as people run it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import ccxt
import httpx
import pytest
from pydantic import SecretStr

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.account_snapshots import AccountSnapshots
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.runtime.metrics import new_registry
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import AccountMarket, AccountSnapshot
from quantbus_services.account.metrics import AccountMetrics
from quantbus_services.account.settings import AccountSettings
from quantbus_services.account.venue import open_account
from quantbus_services.account.watch import Look, Watch
from quantbus_services.paper_exchange import PaperExchange
from tests.integration.monitor.running import environment, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.proof]
COMMAND = "from quantbus_services.account.cli import app; app()"


@pytest.fixture(scope="module")
def paper() -> Iterator[PaperExchange]:
    with PaperExchange(symbols="BTC/USDT", accounts=True, seed=5) as made:
        yield made


def open_keys(paper: PaperExchange, name: str) -> list[dict[str, str]]:
    """Open an account; return a key that trades, one that reads, and one that may withdraw."""
    asked = {
        "name": name,
        "spot": {"USDT": "1000"},
        "futures": {"USDT": "1000"},
        "keys": [{}, {"can_trade": False}, {"can_withdraw": True}],
    }
    keys: list[dict[str, str]] = (
        httpx.post(f"{paper.url}/paper/accounts", json=asked).raise_for_status().json()["keys"]
    )
    return keys


def settings_of(paper: PaperExchange, folder: Path, key: dict[str, str], name: str) -> dict[str, str]:
    files = {"KEY": folder / "key", "SECRET": folder / "secret"}
    files["KEY"].write_text(key["api_key"] + "\n")
    files["SECRET"].write_text(key["secret"] + "\n")
    return {
        "QUANTBUS_ACCOUNT_NAME": name,
        "QUANTBUS_ACCOUNT_VENUE_URL": paper.url,
        "QUANTBUS_ACCOUNT_MARKETS": '["spot", "swap"]',
        "QUANTBUS_ACCOUNT_KEY_FILE": str(files["KEY"]),
        "QUANTBUS_ACCOUNT_SECRET_FILE": str(files["SECRET"]),
        "NO_PROXY": "127.0.0.1",
    }


def account(
    mongo: MongoSettings, folder: Path, settings: dict[str, str], *words: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *words],
        env=environment(mongo, folder, **settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_look_writes_what_the_account_holds(
    paper: PaperExchange, connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    trading, reading, _ = open_keys(paper, "looked-at")
    venue = ccxt.binance(paper.ccxt_config(apiKey=trading["api_key"], secret=trading["secret"]))
    bought = venue.create_order("BTC/USDT", "market", "buy", 0.001)
    venue.create_order("BTC/USDT:USDT", "market", "sell", 0.002)
    price = venue.fetch_ticker("BTC/USDT:USDT")["last"]
    stop = venue.create_order(
        "BTC/USDT:USDT", "market", "buy", 0.002, None, {"stopPrice": price * 1.1, "reduceOnly": True}
    )
    done = account(mongo_settings, tmp_path, settings_of(paper, tmp_path, reading, "live"), "once", "--json")
    assert done.returncode == 0, done.stderr
    seen = AccountSnapshots(connection).newest()["live"]
    assert seen.is_complete
    assert json.loads(done.stdout)["account"] == "live"
    coins = {(one.market, one.currency): one.total for one in seen.balances}
    assert coins["spot", "BTC"] == pytest.approx(0.000999)
    (held,) = seen.positions
    assert (held.pair, held.side, held.amount) == ("BTC/USDT:USDT", "short", 0.002)
    (waiting,) = seen.orders
    assert (waiting.order_id, waiting.kind, waiting.reduce_only) == (stop["id"], "stop", True)
    assert bought["id"] in {fill.order_id for fill in seen.fills}
    assert reading["secret"] not in done.stdout + done.stderr
    assert not [beat for beat in HeartbeatStore(connection).all() if beat.process == "account"]


def test_a_key_that_may_withdraw_is_refused_and_nothing_is_written(
    paper: PaperExchange, connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    _, _, careless = open_keys(paper, "careless")
    done = account(mongo_settings, tmp_path, settings_of(paper, tmp_path, careless, "live"), "once")
    assert done.returncode != 0
    assert "may withdraw" in done.stderr
    assert AccountSnapshots(connection).newest() == {}


def test_a_venue_that_fails_makes_a_snapshot_that_says_so_and_it_recovers_by_itself(
    paper: PaperExchange, connection: Connection, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    _, reading, _ = open_keys(paper, "failing")
    settings = settings_of(paper, tmp_path, reading, "live") | {"QUANTBUS_ACCOUNT_ATTEMPTS": "1"}
    store = AccountSnapshots(connection)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "watch", "--interval", "0.3"],
            env=environment(mongo_settings, tmp_path, **settings),
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: "live" in store.newest(), what="a first snapshot", seconds=60)
        assert store.newest()["live"].is_complete
        httpx.put(f"{paper.url}/paper/faults/page_with_200", json={"path": "/fapi/*"}).raise_for_status()
        wait_for(lambda: not store.newest()["live"].is_complete, what="an unknown part", seconds=60)
        failed = store.newest()["live"]
        assert not failed.knows("swap", "positions")
        httpx.delete(f"{paper.url}/paper/faults").raise_for_status()
        wait_for(lambda: store.newest()["live"].is_complete, what="everything known again", seconds=60)
        (beat,) = HeartbeatStore(connection).all()
        assert (beat.process, beat.instance) == ("account", "main")
    finally:
        httpx.delete(f"{paper.url}/paper/faults")
        process.terminate()
        assert process.wait(timeout=30) == 0, (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "fault", ["page_with_200", "empty_with_200", "cut_json", "truncated_body", "server_error"]
)
@pytest.mark.parametrize(("path", "market"), [("/fapi/*", "swap"), ("/api/*", "spot")])
async def test_what_is_no_answer_never_makes_an_empty_account(
    paper: PaperExchange, fault: str, path: str, market: AccountMarket
) -> None:
    """ccxt itself takes some of these for an account without positions."""
    _, reading, _ = open_keys(paper, f"{fault}-{market}")
    settings = AccountSettings(
        venue_url=paper.url,
        markets=(market,),
        pairs=("BTC/USDT", "BTC/USDT:USDT"),
        key=SecretStr(reading["api_key"]),
        secret=SecretStr(reading["secret"]),
        attempts=1,
    )
    account = open_account(settings, SystemClock())
    taken: list[AccountSnapshot] = []

    async def add(snapshot: AccountSnapshot) -> None:
        taken.append(snapshot)

    async def now() -> datetime:
        return SystemClock().now()

    async def beat(*_: object) -> None:
        """Say nothing."""

    metrics = AccountMetrics(new_registry("test", "0"))
    watch = Watch(account, Look(now, add, beat), settings, metrics, random=lambda: 0.0)
    try:
        await watch.once()
        await asyncio.to_thread(httpx.put, f"{paper.url}/paper/faults/{fault}", json={"path": path})
        await watch.once()
    finally:
        await asyncio.to_thread(httpx.delete, f"{paper.url}/paper/faults")
        await account.close()
    before, failed = taken
    assert before.is_complete
    for part in ("balances", "orders", "fills"):
        assert not failed.knows(market, part)
    assert not failed.knows("swap", "positions")
