"""What is made of ccxt's answers: garbage is refused whole, never read as less than there is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quantbus_contracts.errors import VenueUnavailable
from quantbus_services.account.rights import KeyRights, rights_of
from quantbus_services.account.rows import balances_of, fills_of, orders_of, positions_of, worth_of
from quantbus_services.account.shapes import is_answer

AT = 1_767_614_460_000
TRADE = {
    "symbol": "BTC/USDT",
    "id": 7,
    "order": 5,
    "side": "buy",
    "amount": 0.5,
    "price": 100.0,
    "timestamp": AT,
}
POSITION = {"symbol": "BTC/USDT:USDT", "side": "short", "contracts": 3.0, "entryPrice": 100.0, "leverage": 5}
ORDER = {"symbol": "BTC/USDT", "id": 5, "side": "sell", "amount": 2.0, "price": 100.0, "timestamp": AT}


def one(_pair: str) -> float:
    return 1.0


def test_balances_of_nothing_are_left_out() -> None:
    found = balances_of({"total": {"BTC": 1.0, "ETH": 0.0, "USDT": 5}, "free": {"BTC": 0.4}}, "spot")
    assert [(row.currency, row.total, row.free) for row in found] == [("BTC", 1.0, 0.4), ("USDT", 5.0, 0.0)]


def test_worths_are_those_that_have_a_price() -> None:
    balances = balances_of({"total": {"BTC": 2, "AIR": 3, "USDT": 5}, "free": {}}, "spot")
    worths = {row.currency: row.worth for row in worth_of(balances, {"BTC": 100.0}, "USDT")}
    assert worths == {"BTC": 200.0, "AIR": None, "USDT": 5.0}


def test_contracts_become_amounts_and_flat_positions_are_left_out() -> None:
    (held,) = positions_of([POSITION, POSITION | {"contracts": 0.0}], lambda _: 0.01)
    assert (held.pair, held.side, held.amount, held.leverage) == ("BTC/USDT:USDT", "short", 0.03, 5.0)


def test_times_of_the_venue_become_ours() -> None:
    (done,) = fills_of([TRADE], one, timedelta(seconds=30))
    assert done.at == datetime.fromtimestamp(AT / 1000 - 30, UTC)
    (waiting,) = orders_of([ORDER | {"triggerPrice": 90.0}], one, timedelta(seconds=-30))
    assert waiting.placed_at == datetime.fromtimestamp(AT / 1000 + 30, UTC)
    assert (waiting.kind, waiting.stop_price) == ("stop", 90.0)


def test_an_order_that_closes_the_whole_position_has_no_amount() -> None:
    (order,) = orders_of([ORDER | {"amount": None, "stopPrice": 90.0}], one, timedelta(0))
    assert order.amount == 0


@pytest.mark.parametrize(
    ("read", "answer"),
    [
        (lambda answer: balances_of(answer, "spot"), None),
        (lambda answer: balances_of(answer, "spot"), {}),
        (lambda answer: balances_of(answer, "spot"), {"total": {"BTC": "many"}, "free": {}}),
        (lambda answer: balances_of(answer, "spot"), {"total": {"BTC": float("nan")}, "free": {}}),
        (lambda answer: positions_of(answer, one), None),
        (lambda answer: positions_of(answer, one), [POSITION, POSITION | {"side": "sideways"}]),
        (lambda answer: positions_of(answer, one), [POSITION, {}]),
        (lambda answer: orders_of(answer, one, timedelta(0)), {}),
        (lambda answer: orders_of(answer, one, timedelta(0)), [ORDER, ORDER | {"side": None}]),
        (lambda answer: fills_of(answer, one, timedelta(0)), [TRADE | {"timestamp": None}]),
        (lambda answer: fills_of(answer, one, timedelta(0)), [TRADE, TRADE | {"amount": float("inf")}]),
        (lambda answer: fills_of(answer, one, timedelta(0)), "<html>"),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_no_answer(read: Any, answer: Any) -> None:
    with pytest.raises(VenueUnavailable) as told:
        read(answer)
    assert told.value.kind == "garbage"


@pytest.mark.parametrize(
    ("venue", "answer", "expected"),
    [
        ("binance", {"enableWithdrawals": False, "enableFutures": False}, KeyRights(False, False)),
        ("binance", {"enableWithdrawals": True}, KeyRights(True, False)),
        ("binance", {"enableWithdrawals": False, "permitsUniversalTransfer": True}, KeyRights(True, False)),
        ("binance", {"enableWithdrawals": False, "enableInternalTransfer": True}, KeyRights(True, False)),
        ("binance", {"enableWithdrawals": False, "enableMargin": True}, KeyRights(False, True)),
        (
            "bybit",
            {"result": {"readOnly": 1, "permissions": {"Wallet": ["AccountTransfer"]}}},
            KeyRights(False, False),
        ),
        (
            "bybit",
            {"result": {"readOnly": 0, "permissions": {"Wallet": ["AccountTransfer"]}}},
            KeyRights(True, True),
        ),
        ("okx", {"data": [{"perm": "read_only,withdraw"}]}, KeyRights(True, False)),
        ("okx", {"data": [{"perm": "read_only,trade"}]}, KeyRights(False, True)),
        ("bybit", {"result": {"readOnly": 1, "permissions": {"Wallet": []}}}, KeyRights(False, False)),
        (
            "bybit",
            {"result": {"readOnly": 0, "permissions": {"Wallet": ["Withdraw"]}}},
            KeyRights(True, True),
        ),
        ("binance", {}, KeyRights()),
        ("okx", {"data": []}, KeyRights()),
        ("bybit", {"result": None}, KeyRights()),
    ],
)
def test_the_rights_of_a_key_are_what_the_venue_says_or_unknown(
    venue: str, answer: dict[str, Any], expected: KeyRights
) -> None:
    assert rights_of(venue, answer) == expected


@pytest.mark.parametrize(
    ("venue", "part", "body"),
    [
        ("binance", "positions", "[]"),
        ("binance", "orders", '[{"orderId": 1}]'),
        ("binance", "fills", "[]"),
        ("binance", "balances", '{"balances": []}'),
        ("binanceusdm", "balances", '{"assets": [], "positions": []}'),
        ("okx", "positions", '{"code": "0", "data": []}'),
        ("bybit", "orders", '{"retCode": 0, "result": {"list": []}}'),
        ("kraken", "balances", '{"result": {}}'),
    ],
)
def test_an_answer_may_say_that_there_is_nothing(venue: str, part: Any, body: str) -> None:
    assert is_answer(venue, part, body)


@pytest.mark.parametrize("part", ["balances", "positions", "orders", "fills"])
@pytest.mark.parametrize("venue", ["binance", "okx", "bybit", "kraken"])
@pytest.mark.parametrize("body", [None, "", "<html></html>", "{}", '[{"a":', "null", "0", '"text"'])
def test_a_body_that_is_no_answer_never_means_nothing(venue: str, part: Any, body: str | None) -> None:
    assert not is_answer(venue, part, body)
