"""Who waits to publish: a hint that keeps a crowd in order, not a promise; what is lost of it does no harm."""

from quantbus_contracts.collections._fields import STRATEGY_ID
from quantbus_contracts.collections._spec import CollectionSpec
from quantbus_contracts.validators import closed

__all__ = ["TURNS"]

_TURNS = CollectionSpec(
    name="publish_turns",
    database="signals",
    purpose="those who wait to publish a strategy that many publish at once, in order; a hint that passes",
    key=("strategy_id",),
    written_by=("research", "gateway", "operator"),
    is_hint=True,
    validator=closed(
        {
            "strategy_id": STRATEGY_ID,
            "line": {"bsonType": "array", "maxItems": 1_000, "items": {"bsonType": "object"}},
        }
    ),
)

TURNS: tuple[CollectionSpec, ...] = (_TURNS,)
