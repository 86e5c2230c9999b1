"""The signals database: what strategies say, and who may say it."""

from typing import Any

from quantbus_contracts.collections._fields import ACTIONS, IDENTIFIER, PAIR, PRICE, STRATEGY_ID, SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.validators import (
    closed,
    count,
    flag,
    moment,
    number,
    one_of,
    text,
    texts,
    timeframe_name,
)

__all__ = ["SIGNALS"]

_REVISION_FIELDS: dict[str, dict[str, Any]] = {
    "action": ACTIONS,
    "weight": number(-1, 1),
    "score": number(-1, 1),
    "note": text(at_most=1_000),
    "source": text(at_most=128),
    "stop_price": PRICE,
    "ref_price": PRICE,
    "leverage": number(1, 125),
    "computed_at": moment(),
    "model_id": text(at_most=128),
    "model_hash": text(at_most=128),
    "snapshot_id": text(at_most=128),
    "code_version": text(at_most=128),
    "config_hash": text(at_most=128),
    "degraded": text(at_most=200),
}

_SIGNALS = CollectionSpec(
    name="crypto_signals",
    database="signals",
    purpose="the newest revision of each signal, earlier ones inside it",
    key=("strategy_id", "pair", "timeframe", "ts"),
    written_by=("research", "gateway", "operator"),
    read_by=("executor", "monitor", "operator"),
    validator=closed(
        {
            "strategy_id": STRATEGY_ID,
            "symbol": SYMBOL,
            "pair": PAIR,
            "timeframe": timeframe_name(),
            "ts": moment(),
            "origin": one_of("live", "backfill", "replay"),
            "valid_until": moment(),
            "valid_until_defaulted": flag(),
            "version": count(201, least=1),
            "available_at": moment(),
            "published_by": text(at_most=128),
            "content_hash": text(r"^[0-9a-f]{64}$"),
            "batch_id": text(at_most=64),
            "history": {"bsonType": "array", "maxItems": 200, "items": {"bsonType": "object"}},
        },
        _REVISION_FIELDS,
        also={
            "$or": [
                {"action": {"$exists": True}},
                {"weight": {"$exists": True}},
                {"score": {"$exists": True}},
            ]
        },
    ),
    # The newest of each pair is read through the unique key, backwards: each further index slows every publish.
    further_indexes=(Index((("available_at", 1),)),),
)

_REFUSED_DAYS = 90

_REJECTED = CollectionSpec(
    name="crypto_signals_rejected",
    database="signals",
    purpose="refused rows, with reason and publisher; kept for 90 days",
    key=(),
    written_by=("research", "gateway", "operator"),
    append_only=True,
    validator=closed(
        {
            "row": {"bsonType": "string"},
            "field": {"bsonType": "string"},
            "value": {"bsonType": "string"},
            "reason": text(at_most=2_000),
            "published_by": text(at_most=128),
            "rejected_at": moment(),
        }
    ),
    further_indexes=(Index((("rejected_at", -1),), kept_days=_REFUSED_DAYS),),
)

_RUNS = CollectionSpec(
    name="publish_runs",
    database="signals",
    purpose="a strategy was evaluated for a bar, also when it published nothing",
    key=("strategy_id", "timeframe", "ts"),
    written_by=("research", "gateway", "operator"),
    validator=closed(
        {
            "strategy_id": STRATEGY_ID,
            "timeframe": timeframe_name(),
            "ts": moment(),
            "evaluated_at": moment(),
            "pairs_evaluated": count(),
            "signals": count(),
        },
        {"degraded": text(at_most=200)},
    ),
)

_STRATEGIES = CollectionSpec(
    name="strategies",
    database="signals",
    purpose="declarations: venue, market type, timeframe, pairs, cadence, allowed delay",
    key=("strategy_id",),
    written_by=("research", "gateway", "operator"),
    read_by=("executor", "monitor", "operator"),
    validator=closed(
        {
            "strategy_id": STRATEGY_ID,
            "venue": text(r"^[A-Z0-9_]{1,32}$"),
            "market_type": one_of("spot", "swap", "future"),
            "timeframe": timeframe_name(),
            "pairs": texts(at_most=5_000),
        },
        {
            "cadence_bars": count(10_000, least=1),
            "max_delay_seconds": number(0, 1e9, above=True),
            "max_signals_per_bar": count(5_000, least=1),
            "max_weight": number(0, 1, above=True),
            "max_leverage": number(1, 125),
            "note": text(at_most=1_000),
            "version": count(least=1),
            "declared_at": moment(),
            "declared_by": text(at_most=128),
        },
    ),
)

_AUDIT = CollectionSpec(
    name="signals_audit",
    database="signals",
    purpose="one accepted batch, or one declaration: ordered content hashes, chained per strategy",
    key=("strategy_id", "seq"),
    written_by=("research", "gateway", "operator"),
    read_by=("research", "gateway", "monitor", "operator"),
    append_only=True,
    validator=closed(
        {
            "strategy_id": STRATEGY_ID,
            "seq": count(2**53, least=1),
            "batch_id": text(at_most=64),
            "declaration": count(least=1),
            "entries": texts(at_most=1_000),
            **dict.fromkeys(("inserted", "revised"), count(1_000)),
            **dict.fromkeys(("published_by", "host", "code_version"), text(at_most=128)),
            "at": moment(),
            **dict.fromkeys(("previous_hash", "hash"), text(r"^[0-9a-f]{64}$")),
        },
        {"declared": {"bsonType": "object"}},
    ),
    further_indexes=(Index((("at", 1),)), Index((("batch_id", 1),))),
)

_API_KEYS = CollectionSpec(
    name="api_keys",
    database="signals",
    purpose="keys of the HTTP gateway: what each may do, and a hash of its secret",
    key=("key_id",),
    written_by=("gateway", "operator"),
    read_by=("monitor",),
    validator=closed(
        {
            "key_id": text(r"^[0-9a-f]{12}$"),
            "kind": one_of("api", "hook"),
            "name": IDENTIFIER,
            "secret_hash": text(r"^[0-9a-f]{64}$"),
            "scopes": texts(at_most=3),
            "strategies": texts(at_most=1_000),
            "created_at": moment(),
        },
        {"expires_at": moment(), "revoked_at": moment()},
    ),
)

SIGNALS: tuple[CollectionSpec, ...] = (_SIGNALS, _REJECTED, _RUNS, _STRATEGIES, _AUDIT, _API_KEYS)
