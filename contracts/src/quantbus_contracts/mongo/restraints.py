"""What restrains a strategy's bots now: controls and risk rows in force, by one question that brings the time along."""

from dataclasses import replace
from typing import TypeVar

from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from quantbus_contracts.errors import ContractError
from quantbus_contracts.mongo.client import Connection, row_of
from quantbus_contracts.mongo.server_clock import and_the_time
from quantbus_contracts.mongo.steps import Row, Steps, aggregate_undecoded
from quantbus_contracts.ports import RestraintSnapshot
from quantbus_contracts.schema import Control, Document, RiskState

__all__ = ["RestraintReader"]

Model = TypeVar("Model", bound=Document)
_IN_FORCE: Row = {  # an end that is no date ends nothing: such a row is told as unreadable, not left out
    "$match": {
        "$or": [
            {"expires_at": {"$not": {"$type": "date"}}},
            {"$expr": {"$gt": ["$expires_at", "$$NOW"]}},
        ]
    }
}
_GREATEST_ROW = 64 * 1024  # bytes; the longest of all texts are 10 kB


def _kept_as(name: str) -> Row:
    """Return the stage that keeps a document under ``name``; only its key where no sound row can be so large."""
    small = {"$lte": [{"$bsonSize": "$$ROOT"}, _GREATEST_ROW]}
    return {"$project": {"_id": 1, name: {"$cond": [small, "$$ROOT", None]}}}


def _in_force(strategy_id: str) -> Steps[RestraintSnapshot]:
    of_strategy = {"$match": {"strategy_id": {"$eq": strategy_id}}}
    documents = yield aggregate_undecoded(
        "controls",
        [
            _IN_FORCE,
            _kept_as("control"),
            {
                "$unionWith": {
                    "coll": "risk_state",
                    "pipeline": [of_strategy, _IN_FORCE, _kept_as("state")],
                }
            },
            and_the_time("controls"),
        ],
    )
    now = row_of(documents.pop())["now"]
    snapshot = RestraintSnapshot(now)
    for document in documents:
        snapshot = _with_row(snapshot, document)
    return snapshot


def _with_row(known: RestraintSnapshot, document: bytes) -> RestraintSnapshot:
    """Return what is known with one row more; one written past the validators hides no other."""
    try:
        row = row_of(document)
        if "control" in row:
            return replace(known, controls=(*known.controls, _model(Control, row["control"])))
        return replace(known, states=(*known.states, _model(RiskState, row["state"])))
    except (BSONError, ContractError, ValueError, TypeError, AttributeError, ArithmeticError):
        key = str(RawBSONDocument(document)["_id"])[:200]
        return replace(known, unreadable=(*known.unreadable, key))


def _model(model: type[Model], row: Row) -> Model:
    return model(**{field: value for field, value in row.items() if field != "_id"})


class RestraintReader:
    """Reads what is in force, synchronously: only bots ask, and Freqtrade's loop is synchronous."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    def in_force(self, strategy_id: str) -> RestraintSnapshot:
        """Return the controls in force, of any scope, and the strategy's risk rows in force."""
        return self._connection.run(_in_force(strategy_id))
