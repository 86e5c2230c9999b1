"""What is looked at from outside the bots: the account itself, and what the monitor finds; trading database."""

from quantbus_contracts.collections._fields import IDENTIFIER, PAIR, PRICE
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.validators import Schema, closed, count, flag, items, moment, number, one_of, text

__all__ = ["OVERSIGHT"]

_MOST = 1e18
_MOST_ROWS = 5_000
_AMOUNT = number(0, _MOST)
_MARKET = one_of("spot", "swap")
_ID = text(at_most=128)
_CURRENCY = text(at_most=64)
_WORD = text(r"^[a-z0-9_]{1,64}$", at_most=64)
_SCOPE = text(at_most=128)
_LONG = text(at_most=2_000)
_EVIDENCE: Schema = {"bsonType": "string", "maxLength": 256}
_SNAPSHOT_DAYS = 14


_SNAPSHOTS = CollectionSpec(
    name="account_snapshots",
    database="trading",
    purpose="what the exchange account itself says; kept for 14 days",
    key=("account", "at"),
    written_by=("account",),
    append_only=True,
    validator=closed(
        {
            "account": IDENTIFIER,
            "venue": IDENTIFIER,
            "quote": _CURRENCY,
            "asked_at": moment(),
            "at": moment(),
            "markets": items(_MARKET, at_most=2),
            "balances": items(
                {
                    "market": _MARKET,
                    "currency": _CURRENCY,
                    "total": number(-_MOST, _MOST),
                    "free": number(-_MOST, _MOST),
                },
                {"worth": number(-_MOST, _MOST)},
                at_most=_MOST_ROWS,
            ),
            "positions": items(
                {"pair": PAIR, "side": one_of("long", "short"), "amount": number(0, _MOST, above=True)},
                {"entry_price": PRICE, "leverage": number(1, 1_000)},
                at_most=_MOST_ROWS,
            ),
            "orders": items(
                {
                    "pair": PAIR,
                    "order_id": _ID,
                    "side": one_of("buy", "sell"),
                    "kind": one_of("order", "stop"),
                    "amount": _AMOUNT,
                    "filled": _AMOUNT,
                    "reduce_only": flag(),
                },
                {"price": PRICE, "stop_price": PRICE, "placed_at": moment()},
                at_most=_MOST_ROWS,
            ),
            "fills": items(
                {
                    "pair": PAIR,
                    "fill_id": _ID,
                    "order_id": _ID,
                    "side": one_of("buy", "sell"),
                    "amount": number(0, _MOST, above=True),
                    "price": PRICE,
                    "at": moment(),
                },
                at_most=_MOST_ROWS,
            ),
            "unknown": items(
                {
                    "market": _MARKET,
                    "part": one_of("balances", "positions", "orders", "fills"),
                    "reason": text(at_most=300),
                },
                at_most=16,
            ),
        },
        also={"$expr": {"$lte": ["$asked_at", "$at"]}},
    ),
    further_indexes=(Index((("at", 1),), kept_days=_SNAPSHOT_DAYS),),
)

_FINDINGS = CollectionSpec(
    name="findings",
    database="trading",
    purpose="what a monitor found, since when, and who has acknowledged it",
    key=("check", "kind", "subject"),
    written_by=("monitor", "operator"),
    read_by=("monitor", "operator"),
    validator=closed(
        {
            "finding_id": text(r"^[0-9a-f]{12}$", at_most=12),
            "check": _WORD,
            "kind": _WORD,
            "subject": text(at_most=256),
            "severity": one_of("critical", "warning"),
            "message": _LONG,
            "action": _LONG,
            "evidence": _EVIDENCE,
            "episode": count(least=1),
            "first_seen": moment(),
            "last_seen": moment(),
        },
        {
            "blocks": _SCOPE,
            "resolved_at": moment(),
            "acknowledged_at": moment(),
            "acknowledged_by": text(at_most=128),
            "acknowledged_reason": text(r"\S", at_most=500),
            "acknowledged_until": moment(),
            "acknowledged_evidence": _EVIDENCE,
            "past": items(
                {"first_seen": moment(), "resolved_at": moment(), "message": _LONG},
                {"acknowledged_by": text(at_most=128), "acknowledged_reason": text(at_most=500)},
                at_most=20,
            ),
        },
        also={"$expr": {"$lte": ["$first_seen", "$last_seen"]}},
    ),
    further_indexes=(Index((("finding_id", 1),), unique=True), Index((("resolved_at", 1),))),
)

OVERSIGHT: tuple[CollectionSpec, ...] = (_SNAPSHOTS, _FINDINGS)
