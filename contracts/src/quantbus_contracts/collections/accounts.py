"""What a bot has done and holds, by its own books; part of the trading database."""

from quantbus_contracts.collections._fields import IDENTIFIER, PAIR, PRICE, STRATEGY_ID
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.validators import closed, count, flag, moment, number, one_of, text

__all__ = ["ACCOUNTS"]

_MOST = 1e18
_SIGNAL_ID = text(at_most=64)
_TRADE_ID = count(2**53)

_FILLS = CollectionSpec(
    name="fills",
    database="trading",
    purpose="what was filled of one order of a bot",
    key=("consumer_id", "pair", "order_id"),
    written_by=("executor",),
    validator=closed(
        {
            "consumer_id": IDENTIFIER,
            "strategy_id": STRATEGY_ID,
            "pair": PAIR,
            "order_id": text(at_most=128),
            "trade_id": _TRADE_ID,
            "side": one_of("buy", "sell"),
            "purpose": one_of("entry", "exit", "stop"),
            "amount": number(0, _MOST, above=True),
            "price": PRICE,
            "ordered_at": moment(),
            "filled_at": moment(),
            "dry_run": flag(),
        },
        {"signal_id": _SIGNAL_ID, "tag": text(at_most=255)},
    ),
    further_indexes=(Index((("signal_id", 1),)), Index((("filled_at", -1),))),
)

_POSITIONS = CollectionSpec(
    name="positions",
    database="trading",
    purpose="what a bot holds of a pair, by its own books",
    key=("consumer_id", "pair"),
    written_by=("executor",),
    validator=closed(
        {
            "consumer_id": IDENTIFIER,
            "strategy_id": STRATEGY_ID,
            "pair": PAIR,
            "side": one_of("long", "short", "flat"),
            "amount": number(0, _MOST),
            "stake": number(0, _MOST),
            "at": moment(),
            "dry_run": flag(),
        },
        {
            "entry_price": PRICE,
            "leverage": number(1, 1_000),
            "stop_price": PRICE,
            "trade_id": _TRADE_ID,
            "signal_id": _SIGNAL_ID,
            "opened_at": moment(),
        },
    ),
)

_BALANCES = CollectionSpec(
    name="balances",
    database="trading",
    purpose="what a bot has of a currency, by its own books",
    key=("consumer_id", "currency"),
    written_by=("executor",),
    validator=closed(
        {
            "consumer_id": IDENTIFIER,
            "currency": text(at_most=64),
            "total": number(-_MOST, _MOST),
            "free": number(-_MOST, _MOST),
            "at": moment(),
            "dry_run": flag(),
        }
    ),
)

ACCOUNTS: tuple[CollectionSpec, ...] = (_FILLS, _POSITIONS, _BALANCES)
