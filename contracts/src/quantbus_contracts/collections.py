"""The one table of collections: where each lives, what is unique in it, who writes it, what it refuses.

``quantbus bus init``, the stores, the roles and the documentation are all made from this table.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from quantbus_contracts.schema import ControlKind, ExecutionState
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
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

__all__ = ["COLLECTIONS", "CollectionSpec", "Database", "Index", "Party", "candle_collection", "spec_of"]

Database = Literal["market", "signals", "trading"]
Party = Literal["ingestion", "research", "gateway", "executor", "account", "monitor", "operator"]
"""Who reads and writes: the processes, and the operator at the command line."""
Writer = Party | Literal["every process"]


@dataclass(frozen=True, slots=True)
class Index:
    """One index: fields with direction, in order."""

    fields: tuple[tuple[str, int], ...]
    unique: bool = False

    @property
    def name(self) -> str:
        """MongoDB's own default name."""
        return "_".join(f"{name}_{direction}" for name, direction in self.fields)


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """One collection. ``key`` is the unique key; empty means that rows have none.

    Whoever writes a collection reads it too, since a write looks at what stands; not so where rows are only
    ever added (``append_only``: no role may change them). ``read_by`` names those who read besides.
    """

    name: str
    database: Database
    purpose: str
    key: tuple[str, ...]
    written_by: tuple[Writer, ...]
    validator: dict[str, Any]
    further_indexes: tuple[Index, ...] = field(default=())
    read_by: tuple[Party, ...] = ("monitor", "operator")
    append_only: bool = False

    @property
    def indexes(self) -> tuple[Index, ...]:
        """The unique index of the key, then the others."""
        unique = (Index(tuple((name, 1) for name in self.key), unique=True),) if self.key else ()
        return unique + self.further_indexes


_PRICE = number(0, 1e15, above=True)
_STRATEGY_ID = text(r"^[A-Za-z0-9_.-]{1,64}$")
_IDENTIFIER = _STRATEGY_ID
_SYMBOL = text(r"^[A-Z0-9_]{1,32}:\S{1,64}$")
_PAIR = text(r"^[^\s/:]{1,32}/[^\s/:]{1,32}(:[^\s/:]{1,48})?$")
_ACTIONS = one_of("enter_long", "exit_long", "enter_short", "exit_short")
_REVISION_FIELDS: dict[str, dict[str, Any]] = {
    "action": _ACTIONS,
    "weight": number(-1, 1),
    "score": number(-1, 1),
    "note": text(at_most=1_000),
    "source": text(at_most=128),
    "stop_price": _PRICE,
    "ref_price": _PRICE,
    "leverage": number(1, 125),
    "computed_at": moment(),
    "model_id": text(at_most=128),
    "model_hash": text(at_most=128),
    "snapshot_id": text(at_most=128),
    "code_version": text(at_most=128),
    "config_hash": text(at_most=128),
    "degraded": text(at_most=200),
}


def candle_collection(timeframe: Timeframe) -> str:
    """Return the name of the collection that holds bars of ``timeframe``."""
    return "crypto_market" if timeframe.is_daily else f"crypto_market_{timeframe.name}"


def _candles(timeframe: Timeframe) -> CollectionSpec:
    when = "date" if timeframe.is_daily else "datetime"
    return CollectionSpec(
        name=candle_collection(timeframe),
        database="market",
        purpose=f"closed {timeframe.name} bars",
        key=("symbol", when),
        written_by=("ingestion",),
        read_by=("research", "gateway", "monitor", "operator"),
        validator=closed(
            {
                when: text(r"^\d{8}$") if timeframe.is_daily else moment(),
                "symbol": _SYMBOL,
                **dict.fromkeys(("open", "high", "low", "close"), _PRICE),
                "volume": number(0, 1e18),
                "source": text(at_most=64),
                "ingested_at": moment(),
            },
            also={"$expr": {"$gte": ["$high", "$low"]}},
        ),
    )


_SIGNALS = CollectionSpec(
    name="crypto_signals",
    database="signals",
    purpose="the newest revision of each signal, earlier ones inside it",
    key=("strategy_id", "pair", "timeframe", "ts"),
    written_by=("research", "gateway", "operator"),
    read_by=("executor", "monitor", "operator"),
    validator=closed(
        {
            "strategy_id": _STRATEGY_ID,
            "symbol": _SYMBOL,
            "pair": _PAIR,
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
    further_indexes=(
        Index((("strategy_id", 1), ("timeframe", 1), ("pair", 1), ("ts", -1))),
        Index((("available_at", 1),)),
    ),
)

_REJECTED = CollectionSpec(
    name="crypto_signals_rejected",
    database="signals",
    purpose="refused rows, with reason and publisher",
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
    further_indexes=(Index((("rejected_at", -1),)),),
)

_RUNS = CollectionSpec(
    name="publish_runs",
    database="signals",
    purpose="a strategy was evaluated for a bar, also when it published nothing",
    key=("strategy_id", "timeframe", "ts"),
    written_by=("research", "gateway", "operator"),
    validator=closed(
        {
            "strategy_id": _STRATEGY_ID,
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
            "strategy_id": _STRATEGY_ID,
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
            "strategy_id": _STRATEGY_ID,
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

_INSTRUMENTS = CollectionSpec(
    name="crypto_instruments",
    database="market",
    purpose="the markets of the venues",
    key=("symbol",),
    written_by=("ingestion",),
    read_by=("research", "gateway", "monitor", "operator"),
    validator=closed(
        {
            "symbol": _SYMBOL,
            "pair": _PAIR,
            "venue": text(r"^[A-Z0-9_]{1,32}$"),
            "market_type": one_of("spot", "swap", "future"),
            "base": text(at_most=32),
            "quote": text(at_most=32),
        },
        {"settle": text(at_most=32), "expiry": text(r"^\d{8}$")},
    ),
    further_indexes=(Index((("venue", 1), ("pair", 1))),),
)

_EXECUTIONS = CollectionSpec(
    name="executions",
    database="trading",
    purpose="what one consumer did with one signal",
    key=("consumer_id", "signal_id"),
    written_by=("executor",),
    read_by=("gateway", "monitor", "operator"),
    validator=closed(
        {
            "consumer_id": _IDENTIFIER,
            "signal_id": text(at_most=64),
            "strategy_id": _STRATEGY_ID,
            "pair": _PAIR,
            "timeframe": timeframe_name(),
            "ts": moment(),
            "version": count(201, least=1),
            "state": one_of(*(state.value for state in ExecutionState)),
            "available_at": moment(),
            "seen_at": moment(),
            "order_ids": texts(at_most=1_000),
        },
        {
            "side": _ACTIONS,
            "reason": text(at_most=64),
            "accepted_at": moment(),
            "ordered_at": moment(),
            "filled_at": moment(),
            "trade_id": count(2**53),
            "price": _PRICE,
            "amount": number(0, 1e18, above=True),
            "slippage": number(-1e6, 1e6),
        },
    ),
    further_indexes=(
        Index((("signal_id", 1),)),
        Index((("seen_at", -1),)),
        Index((("strategy_id", 1), ("ts", -1))),
    ),
)

_HEARTBEATS = CollectionSpec(
    name="heartbeats",
    database="trading",
    purpose="the last sign of life of each process",
    key=("process", "instance"),
    written_by=("every process",),
    validator=closed(
        {
            "process": _IDENTIFIER,
            "instance": _IDENTIFIER,
            "at": moment(),
            "started_at": moment(),
            "version": text(at_most=64),
            "detail": {"bsonType": "object"},
        }
    ),
)

_CONTROLS = CollectionSpec(
    name="controls",
    database="trading",
    purpose="a block, halt or flatten by scope, with reason and expiry",
    key=("scope", "source"),
    written_by=("operator", "gateway", "monitor"),
    read_by=("executor", "monitor", "operator"),
    validator=closed(
        {
            "scope": text(
                r"^(all|(strategy|consumer):[A-Za-z0-9_.-]{1,64}"
                r"|pair:[^\s/:]{1,32}/[^\s/:]{1,32}(:[^\s/:]{1,48})?)$"
            ),
            "source": _IDENTIFIER,
            "kind": one_of(*(kind.value for kind in ControlKind)),
            "reason": text(r"\S", at_most=500),
            "at": moment(),
            "by": text(at_most=128),
        },
        {"expires_at": moment(), "lifted_by": text(at_most=128)},
        also={"$expr": {"$gte": [{"$ifNull": ["$expires_at", "$at"]}, "$at"]}},
    ),
)

_API_KEYS = CollectionSpec(
    name="api_keys",
    database="signals",
    purpose="keys of the HTTP gateway: what each may do, and a hash of its secret",
    key=("key_id",),
    written_by=("gateway", "operator"),
    read_by=(),
    validator=closed(
        {
            "key_id": text(r"^[0-9a-f]{12}$"),
            "kind": one_of("api", "hook"),
            "name": _IDENTIFIER,
            "secret_hash": text(r"^[0-9a-f]{64}$"),
            "scopes": texts(at_most=3),
            "strategies": texts(at_most=1_000),
            "created_at": moment(),
        },
        {"expires_at": moment(), "revoked_at": moment()},
    ),
)

COLLECTIONS: tuple[CollectionSpec, ...] = (
    *(_candles(Timeframe.parse(name)) for name in SUPPORTED_TIMEFRAMES),
    _INSTRUMENTS,
    _SIGNALS,
    _REJECTED,
    _RUNS,
    _STRATEGIES,
    _AUDIT,
    _API_KEYS,
    _EXECUTIONS,
    _HEARTBEATS,
    _CONTROLS,
)

_BY_NAME = {spec.name: spec for spec in COLLECTIONS}


def spec_of(name: str) -> CollectionSpec:
    """Return the entry of the table for the collection called ``name``."""
    return _BY_NAME[name]
