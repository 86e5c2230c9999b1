"""What survives a restart, what is refused as a state, and where faults may come between."""

import contextlib
import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.accounts.journal import FileJournal
from quantbus_services.paper_exchange.accounts.ports import NoFaults, OrderTicket
from quantbus_services.paper_exchange.accounts.records import Fill
from quantbus_services.paper_exchange.accounts.registry import read_accounts
from quantbus_services.paper_exchange.accounts.room import AccountsRoom
from quantbus_services.paper_exchange.binance.queries import Refusal
from tests.unit.services.paper_exchange.account_kit import NOW, Bench, shared_venue

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
ACCOUNTS = (
    '[{"name": "bot", "spot": {"USDT": "50"}, "keys": [{"api_key": "key-of-bot", "secret": "secret-1"}]}]'
)


async def test_orders_balances_and_positions_are_there_after_a_restart(tmp_path: Path) -> None:
    bench = Bench(state=tmp_path / "state.sqlite")
    await bench.ask("POST", "/api/v3/order", **ORDER)
    await bench.ask("POST", "/fapi/v1/order", **ORDER)
    waiting = await bench.limit("BUY", bench.price() * Decimal("0.9995"), "0.01")
    paths: tuple[tuple[str, dict[str, str]], ...] = (
        ("/api/v3/account", {}),
        ("/api/v3/openOrders", {}),
        ("/api/v3/myTrades", {"symbol": "BTCUSDT"}),
        ("/fapi/v3/account", {}),
        ("/fapi/v3/positionRisk", {}),
        ("/fapi/v1/income", {}),
    )
    before = [await bench.ask("GET", path, **more) for path, more in paths]
    bench.room.close()
    bench.open(state=tmp_path / "state.sqlite")
    assert [await bench.ask("GET", path, **more) for path, more in paths] == before
    bench.wait(hours=6)
    assert (await bench.found(waiting))["status"] == "FILLED"


async def test_what_happened_while_it_was_down_has_happened(tmp_path: Path) -> None:
    bench = Bench(state=tmp_path / "state.sqlite")
    order = await bench.limit("BUY", bench.price() * Decimal("0.9995"), "0.01")
    bench.room.close()
    bench.wait(hours=6)
    bench.open(state=tmp_path / "state.sqlite")
    assert (await bench.found(order))["status"] == "FILLED"
    (fill,) = await bench.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    assert NOW.timestamp() * 1000 < fill["time"] < bench.venue.now_ms()


def test_a_state_belongs_to_one_exchange_at_a_time(tmp_path: Path) -> None:
    bench = Bench(state=tmp_path / "state.sqlite")
    with pytest.raises(ConfigError, match="no other exchange uses"):
        AccountsRoom(bench.venue, state=tmp_path / "state.sqlite")
    bench.room.close()
    AccountsRoom(bench.venue, state=tmp_path / "state.sqlite").close()


def test_another_database_is_not_taken_for_a_state(tmp_path: Path) -> None:
    path = tmp_path / "trades.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE trades (id INTEGER)")
    with pytest.raises(ConfigError, match="another database"):
        FileJournal(path)
    path.write_text("no database at all, but long enough to be read as one" * 20)
    with pytest.raises(ConfigError, match="--state"):
        FileJournal(path)


async def test_a_state_with_a_broken_record_is_refused_and_let_go_of(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    bench = Bench(state=path)
    await bench.ask("POST", "/api/v3/order", **ORDER)
    bench.room.close()
    for broken in ("SET body = '{' WHERE kind = 'order'", "SET kind = 'wallet' WHERE kind = 'fill'"):
        before = path.read_bytes()
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute(f"UPDATE records {broken}")
        with pytest.raises(ConfigError, match=r"--state.*broken"):
            AccountsRoom(bench.venue, state=path)
        path.write_bytes(before)
        AccountsRoom(bench.venue, state=path).close()


async def test_accounts_that_are_ahead_of_the_clock_are_refused(tmp_path: Path) -> None:
    bench = Bench(state=tmp_path / "state.sqlite")
    bench.wait(hours=2)
    await bench.ask("POST", "/api/v3/order", **ORDER)
    bench.room.close()
    bench.clock.set(NOW)
    with pytest.raises(ConfigError, match=r"--state.*ahead.*--anchor-file"):
        AccountsRoom(bench.venue, state=tmp_path / "state.sqlite")
    bench.wait(hours=1, minutes=1)
    AccountsRoom(bench.venue, state=tmp_path / "state.sqlite").close()


async def test_an_order_that_could_not_be_written_did_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(state=tmp_path / "state.sqlite")

    def full_disk(self: FileJournal, rows: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(FileJournal, "write", full_disk)
        assert await bench.code("POST", "/api/v3/order", **ORDER) == (500, -1001)
    assert await bench.ask("GET", "/api/v3/allOrders", symbol="BTCUSDT") == []
    assert (await bench.ask("GET", "/api/v3/account"))["balances"][0]["free"] == "10000.00000000"
    await bench.ask("POST", "/api/v3/order", **ORDER)


def test_accounts_of_a_file_are_opened_once(tmp_path: Path) -> None:
    venue, clock = shared_venue()
    clock.set(NOW)
    file, state = tmp_path / "accounts.json", tmp_path / "state.sqlite"
    file.write_text(ACCOUNTS)
    room = AccountsRoom(venue, account_file=file, state=state)
    room.office.ledger.accounts["bot"].balance("USDT").free = Decimal(7)
    room.office.perform(
        venue.now_ms(), lambda at: room.office.ledger.note(room.office.ledger.accounts["bot"])
    )
    room.close()
    again = AccountsRoom(venue, account_file=file, state=state)
    assert again.office.ledger.accounts["bot"].balance("USDT").free == 7
    assert again.office.ledger.keys["key-of-bot"].secret == "secret-1"
    again.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "list"),
        ("[{}]", "name"),
        ('[{"name": "a", "spots": {}}]', "spots"),
        ('[{"name": "a", "keys": [{"secret": "short"}]}]', "secret"),
        ("nonsense", "Expecting value"),
    ],
)
def test_a_wrong_account_file_is_explained(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=f"(?s)--account-file.*{said}"):
        read_accounts(path)


async def test_accounts_are_opened_and_filled_by_request() -> None:
    bench = Bench()
    made = await bench.client.post("/paper/accounts", json={"name": "new", "spot": {"USDT": "5"}})
    assert set(made.json()["keys"][0]) == {
        "api_key",
        "secret",
        "can_trade",
        "can_withdraw",
        "can_use_futures",
    }
    again = await bench.client.post("/paper/accounts", json={"name": "new"})
    assert (again.status_code, "new name" in again.json()["msg"]) == (400, True)
    more = {"account": "new", "board": "futures", "asset": "USDT", "amount": "3"}
    assert (await bench.client.post("/paper/deposits", json=more)).json()["futures"] == {"USDT": "3.00000000"}
    key = await bench.client.post("/paper/keys", json={"account": "new", "can_trade": False})
    assert key.json()["can_trade"] is False
    listed = {row["name"]: row for row in (await bench.client.get("/paper/accounts")).json()}
    assert len(listed["new"]["keys"]) == 2
    assert "secret" not in str(listed)


async def test_an_account_that_is_refused_is_not_opened() -> None:
    bench = Bench()
    foreign = {"api_key": bench.key.api_key, "secret": "of-its-own"}
    wrong: list[dict[str, object]] = [
        {"keys": [{}, foreign]},
        {"spot": {"USDT": "-5"}},
        {"futures": {"USDT": "1e30"}},
        {"spot": {"usd t": 1}},
    ]
    for asked in wrong:
        reply = await bench.client.post("/paper/accounts", json={"name": "new"} | asked)
        assert (reply.status_code, reply.json()["code"]) == (400, -1130), asked
    assert [row["name"] for row in (await bench.client.get("/paper/accounts")).json()] == ["bot"]
    assert bench.room.office.ledger.keys[bench.key.api_key] == bench.key


async def test_a_page_in_a_browser_cannot_open_accounts() -> None:
    bench = Bench()
    reply = await bench.client.post("/paper/accounts", json={"name": "x"}, headers={"Origin": "http://evil"})
    assert reply.status_code == 403


class Troubled(NoFaults):
    """Refuses, loses or doubles, as it is told."""

    refusal: Refusal | None = None
    loss: Refusal | None = None

    def refuses(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        return self.refusal if ticket.symbol == "BTCUSDT" else None

    def loses_answer(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        return self.loss

    def reports(self, fills: Sequence[Fill], now_ms: int) -> Sequence[Fill]:
        return [fill for fill in fills for _ in range(2)]


@pytest.mark.parametrize(("path", "query"), [("/api/v3/order", "spot"), ("/fapi/v1/order", "futures")])
async def test_an_accepted_order_whose_answer_is_lost_is_found_by_its_client_id(
    path: str, query: str
) -> None:
    faults = Troubled()
    bench = Bench(faults=faults)
    faults.loss = Refusal(-1007, "Timeout waiting for response from backend server.", status=504)
    assert await bench.code("POST", path, newClientOrderId="mine", **ORDER) == (504, -1007)
    found = await bench.ask("GET", path, symbol="BTCUSDT", origClientOrderId="mine")
    assert found["status"] == "FILLED"


async def test_a_refused_order_leaves_nothing_behind() -> None:
    faults = Troubled()
    bench = Bench(faults=faults)
    faults.refusal = Refusal(-2010, "Account has insufficient balance for requested action.")
    assert await bench.code("POST", "/api/v3/order", **ORDER) == (400, -2010)
    assert await bench.ask("GET", "/api/v3/allOrders", symbol="BTCUSDT") == []


async def test_fills_may_be_told_twice() -> None:
    bench = Bench(faults=Troubled())
    await bench.ask("POST", "/api/v3/order", **ORDER)
    first, second = await bench.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    assert first == second
