"""What becomes of an account while nobody looks, when the market list changes meanwhile."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.accounts.journal import MemoryJournal
from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.office import Call, Office
from quantbus_services.paper_exchange.accounts.ports import NoFaults
from quantbus_services.paper_exchange.accounts.records import ApiKey, Board, Status
from quantbus_services.paper_exchange.accounts.registry import AccountRequest, open_account
from quantbus_services.paper_exchange.accounts.requests import Fields, read_order
from quantbus_services.paper_exchange.assembly import build_venue
from quantbus_services.paper_exchange.listings.events import MarketEvent
from quantbus_services.paper_exchange.settings import PaperSettings
from tests.unit.services.paper_exchange.account_kit import NOW

CHANGES: dict[str, dict[str, object]] = {
    "remove": {},
    "delist": {},
    "rename": {"to": "ETX/USDT"},
    "tick": {"price_decimals": 0},
}


def place(office: Office, key: ApiKey, board: Board, values: dict[str, str], now_ms: int) -> None:
    fields = Fields(values)
    call = Call(office.ledger.accounts[key.account], key, fields, now_ms)
    office.perform(now_ms, lambda at: office.place(call, read_order(fields, board)))


def account_after(kind: str, *, polls: bool) -> tuple[Ledger, int]:
    """Return the records after eight hours, and when the market list changed in the sixth."""
    clock = FrozenClock(NOW)
    venue = build_venue(PaperSettings(symbols="BTC/USDT,ETH/USDT"), clock)
    ledger = Ledger(MemoryJournal())
    office = Office(ledger, spot=venue.spot, futures=venue.futures, faults=NoFaults())
    asked = AccountRequest(name="bot", spot={"USDT": Decimal(10_000)}, futures={"USDT": Decimal(10_000)})
    (key,) = office.perform(venue.now_ms(), lambda at: open_account(ledger, asked, at))
    price = venue.spot.last_price("ETHUSDT", venue.now_ms())
    limit = {"type": "LIMIT", "timeInForce": "GTC", "price": f"{price / 2:.2f}"}
    orders: tuple[tuple[Board, dict[str, str]], ...] = (("futures", {"type": "MARKET"}), ("spot", limit))
    for board, order in orders:
        place(
            office, key, board, {"symbol": "ETHUSDT", "side": "BUY", "quantity": "1"} | order, venue.now_ms()
        )
    row = {"kind": kind, "pair": "ETH/USDT", "at": "2025-03-01T18:00:00Z"} | CHANGES[kind]
    event = MarketEvent.parse(row, now_ms=venue.now_ms())
    venue.add_event(event)
    for _ in range(48):
        clock.advance(timedelta(minutes=10))
        if polls:
            office.perform(venue.now_ms(), lambda at: None)
    office.perform(venue.now_ms(), lambda at: None)
    return ledger, event.at_ms


def told(ledger: Ledger) -> list[Any]:
    records = (*ledger.accounts.values(), *ledger.orders.values(), *ledger.fills.values())
    return [record.model_dump() for record in (*records, *ledger.incomes.values())]


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_the_market_list_ends_equally_whether_anyone_looks_or_not(kind: str) -> None:
    seldom, _ = account_after(kind, polls=False)
    often, _ = account_after(kind, polls=True)
    assert told(seldom) == told(often)


@pytest.mark.parametrize("kind", ["remove", "delist", "rename"])
def test_what_is_open_ends_when_its_market_does_and_has_paid_its_funding(kind: str) -> None:
    ledger, at_ms = account_after(kind, polls=False)
    waiting, closing = (
        order for order in ledger.orders.values() if order.status != Status.FILLED or order.reduce_only
    )
    assert (waiting.status, waiting.updated_ms) == (Status.EXPIRED, at_ms)
    assert closing.updated_ms == at_ms
    assert ledger.accounts["bot"].held() == []
    assert "FUNDING_FEE" in {income.type for income in ledger.incomes.values()}
