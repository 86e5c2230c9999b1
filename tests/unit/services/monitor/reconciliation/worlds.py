"""Worlds in which all sides agree, to plant one disagreement in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from quantbus_contracts.schema import (
    AccountBalance,
    AccountFill,
    AccountMarket,
    AccountOrder,
    AccountPosition,
    AccountSnapshot,
    Balance,
    Fill,
    Holding,
)
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor.reconciliation.reconcile import Patience, Reconciled, reconcile
from quantbus_services.monitor.reconciliation.sides import (
    BotBook,
    BotOrder,
    ClosedTrade,
    Meant,
    OpenTrade,
    Sides,
    Told,
)

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(hours=1)
LONG_AGO = NOON + timedelta(minutes=2)
SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"
PATIENCE = Patience()
ENTRY = make_signal(ts=NOON)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def trade(pair: str = SPOT, **given: Any) -> OpenTrade:
    orders = (
        BotOrder("11", "entry", is_open=False, placed_at=LONG_AGO, filled_at=LONG_AGO),
        BotOrder("12", "stop", is_open=True, placed_at=LONG_AGO),
    )
    fields: dict[str, Any] = {
        "trade_id": 1,
        "pair": pair,
        "direction": "long",
        "signal_id": ENTRY.signal_id,
        "opened_at": LONG_AGO,
        "in_flight": False,
        "amount": 0.5,
        "orders": orders,
    }
    return OpenTrade(**{**fields, **given})


def closed(**given: Any) -> ClosedTrade:
    fields: dict[str, Any] = {"trade_id": 9, "pair": SPOT, "signal_id": None, "closed_at": LONG_AGO}
    return ClosedTrade(**{**fields, **given})


def order(pair: str = SPOT, **given: Any) -> AccountOrder:
    fields: dict[str, Any] = {
        "pair": pair,
        "order_id": "12",
        "side": "sell",
        "kind": "stop",
        "amount": 0.5,
        "stop_price": 90.0,
        "placed_at": LONG_AGO,
    }
    return AccountOrder(**{**fields, **given})


def fill(pair: str = SPOT, **given: Any) -> AccountFill:
    fields: dict[str, Any] = {
        "pair": pair,
        "fill_id": "1",
        "order_id": "11",
        "side": "buy",
        "amount": 0.5,
        "price": 100.0,
        "at": LONG_AGO,
    }
    return AccountFill(**{**fields, **given})


def coin(currency: str = "BTC", total: float = 0.4995, worth: float | None = 49.95) -> AccountBalance:
    return AccountBalance(market="spot", currency=currency, total=total, free=total, worth=worth)


def holding(pair: str = SPOT, **given: Any) -> Holding:
    fields: dict[str, Any] = {
        "consumer_id": "bot",
        "strategy_id": ENTRY.strategy_id,
        "pair": pair,
        "side": "long",
        "amount": 0.5,
        "at": LONG_AGO,
        "dry_run": False,
    }
    return Holding(**{**fields, **given})


def bot_fill(**given: Any) -> Fill:
    fields: dict[str, Any] = {
        "consumer_id": "bot",
        "strategy_id": ENTRY.strategy_id,
        "pair": SPOT,
        "order_id": "11",
        "trade_id": 1,
        "side": "buy",
        "purpose": "entry",
        "amount": 0.5,
        "price": 100.0,
        "ordered_at": LONG_AGO,
        "filled_at": LONG_AGO,
        "dry_run": False,
    }
    return Fill(**{**fields, **given})


def balance(total: float = 950.0) -> Balance:
    return Balance(consumer_id="bot", currency="USDT", total=total, free=total, at=LONG_AGO, dry_run=False)


def money(market: AccountMarket = "spot", total: float = 950.0) -> AccountBalance:
    return AccountBalance(market=market, currency="USDT", total=total, free=total, worth=total)


def row(**given: Any) -> Any:
    fields: dict[str, Any] = {"state": "filled", "trade_id": 1, "filled_at": LONG_AGO, "order_ids": ("11",)}
    signal = given.pop("signal", ENTRY)
    return make_execution(signal, **{**fields, **given})


def snapshot(market: AccountMarket = "spot", **given: Any) -> AccountSnapshot:
    pair = SPOT if market == "spot" else SWAP
    own: dict[str, Any] = {"balances": (money("spot"), coin())}
    if market == "swap":
        position = AccountPosition(pair=SWAP, side="long", amount=0.5, entry_price=100.0)
        own = {"balances": (money("swap"),), "positions": (position,)}
    fields: dict[str, Any] = {
        "account": "live",
        "venue": "binance",
        "quote": "USDT",
        "asked_at": ago(3),
        "at": ago(2),
        "markets": (market,),
        "orders": (order(pair),),
        "fills": (fill(pair),),
    }
    return AccountSnapshot(**{**fields, **own, **given})


def world(market: AccountMarket = "spot", **given: Any) -> Sides:
    """Return sides that agree: a long of half a bitcoin, with its stop at the exchange."""
    pair = SPOT if market == "spot" else SWAP
    fields: dict[str, Any] = {
        "consumer_id": "bot",
        "book": BotBook(
            trades=(trade(pair),),
            dry_run=False,
            market=market,
            stops_at_venue=True,
        ),
        "meant": Meant(rows=(row(pair=pair),)),
        "told": Told((holding(pair),), (bot_fill(pair=pair),), (balance(),)),
        "account_name": "live",
        "account": snapshot(market),
    }
    return Sides(**{**fields, **given})


def with_trades(sides: Sides, *trades: OpenTrade, **given: Any) -> Sides:
    return replace(sides, book=replace(sides.book, trades=trades, **given))


def with_account(sides: Sides, **given: Any) -> Sides:
    assert sides.account is not None
    return replace(sides, account=sides.account.model_copy(update=given))


def kinds(sides: Sides, now: datetime = NOW) -> list[str]:
    return [one.kind for one in judged(sides, now).mismatches]


def judged(sides: Sides, now: datetime = NOW) -> Reconciled:
    return reconcile(sides, now, PATIENCE)
