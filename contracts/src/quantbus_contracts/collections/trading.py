"""The trading database: what bots do, who lives, and what is forbidden."""

from quantbus_contracts.collections._fields import ACTIONS, IDENTIFIER, PAIR, PRICE, STRATEGY_ID
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.schema import ControlKind, ExecutionState, RiskLevel
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

__all__ = ["TRADING"]

_EXECUTIONS = CollectionSpec(
    name="executions",
    database="trading",
    purpose="what one consumer did with one signal",
    key=("consumer_id", "signal_id"),
    written_by=("executor",),
    read_by=("gateway", "monitor", "operator"),
    validator=closed(
        {
            "consumer_id": IDENTIFIER,
            "signal_id": text(at_most=64),
            "strategy_id": STRATEGY_ID,
            "pair": PAIR,
            "timeframe": timeframe_name(),
            "ts": moment(),
            "version": count(201, least=1),
            "state": one_of(*(state.value for state in ExecutionState)),
            "available_at": moment(),
            "seen_at": moment(),
            "order_ids": texts(at_most=1_000),
        },
        {
            "side": ACTIONS,
            "reason": text(at_most=64),
            "accepted_at": moment(),
            "ordered_at": moment(),
            "filled_at": moment(),
            "trade_id": count(2**53),
            "price": PRICE,
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
            "process": IDENTIFIER,
            "instance": IDENTIFIER,
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
            "source": IDENTIFIER,
            "kind": one_of(*(kind.value for kind in ControlKind)),
            "reason": text(r"\S", at_most=500),
            "at": moment(),
            "by": text(at_most=128),
        },
        {"expires_at": moment(), "lifted_by": text(at_most=128)},
        also={"$expr": {"$gte": [{"$ifNull": ["$expires_at", "$at"]}, "$at"]}},
    ),
)

# Beside the controls and not beside the signals: a bot reads both by one question, which cannot cross databases.
_RISK = CollectionSpec(
    name="risk_state",
    database="trading",
    purpose="how risky a strategy or one of its pairs is, and what that does to entries",
    key=("strategy_id", "pair"),
    written_by=("research", "operator"),
    read_by=("executor", "monitor", "operator"),
    validator=closed(
        {
            "strategy_id": STRATEGY_ID,
            "pair": text(r"^(\*|[^\s/:]{1,32}/[^\s/:]{1,32}(:[^\s/:]{1,48})?)$"),
            "level": one_of(*(level.value for level in RiskLevel)),
            "stake_scale": number(0, 1),
            "block_entries": flag(),
            "reason": text(r"\S", at_most=500),
            "at": moment(),
            "by": text(at_most=128),
        },
        {"evidence": text(at_most=128), "expires_at": moment(), "cleared_by": text(at_most=128)},
        also={"$expr": {"$gte": [{"$ifNull": ["$expires_at", "$at"]}, "$at"]}},
    ),
)

_LEASES = CollectionSpec(
    name="leases",
    database="trading",
    purpose="which bot trades an account, and until when unless it renews",
    key=("account",),
    written_by=("executor",),
    validator=closed(
        {
            "account": IDENTIFIER,
            "consumer_id": IDENTIFIER,
            "holder": text(at_most=64),
            "process": text(at_most=64),
            "host": text(at_most=128),
            "taken_at": moment(),
            "renewed_at": moment(),
            "expires_at": moment(),
        },
        also={"$expr": {"$lte": ["$renewed_at", "$expires_at"]}},
    ),
)

TRADING: tuple[CollectionSpec, ...] = (_EXECUTIONS, _HEARTBEATS, _CONTROLS, _RISK, _LEASES)
