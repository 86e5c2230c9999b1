"""What restrains a strategy's bots now: controls and risk rows in force, by one question that brings the time along."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import ValidationError

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.server_clock import and_the_time
from quantbus_contracts.mongo.steps import Row, Steps, aggregate
from quantbus_contracts.ports import RestraintSnapshot
from quantbus_contracts.schema import Control, Document, RiskState

__all__ = ["RestraintReader"]

Model = TypeVar("Model", bound=Document)
_IN_FORCE: Row = {
    "$match": {"$or": [{"expires_at": {"$exists": False}}, {"$expr": {"$gt": ["$expires_at", "$$NOW"]}}]}
}


def _in_force(strategy_id: str) -> Steps[RestraintSnapshot]:
    of_strategy = {"$match": {"strategy_id": {"$eq": strategy_id}}}
    rows = yield aggregate(
        "controls",
        [
            _IN_FORCE,
            {"$project": {"_id": 1, "control": "$$ROOT"}},
            {
                "$unionWith": {
                    "coll": "risk_state",
                    "pipeline": [of_strategy, _IN_FORCE, {"$project": {"_id": 1, "state": "$$ROOT"}}],
                }
            },
            and_the_time("controls"),
        ],
    )
    now = rows.pop()["now"]
    controls, bad_controls = _read(Control, [row for row in rows if "control" in row], "control")
    states, bad_states = _read(RiskState, [row for row in rows if "state" in row], "state")
    return RestraintSnapshot(now, tuple(controls), tuple(states), (*bad_controls, *bad_states))


def _read(model: type[Model], rows: Sequence[Row], name: str) -> tuple[list[Model], list[str]]:
    """Return the rows as models, and the keys of those written past the validators that are none."""
    read: list[Model] = []
    unreadable: list[str] = []
    for row in rows:
        fields = {field: value for field, value in row[name].items() if field != "_id"}
        try:
            read.append(model(**fields))
        except (ValidationError, TypeError, ValueError, ArithmeticError):
            unreadable.append(str(row["_id"])[:200])
    return read, unreadable


class RestraintReader:
    """Reads what is in force, synchronously: only bots ask, and Freqtrade's loop is synchronous."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    def in_force(self, strategy_id: str) -> RestraintSnapshot:
        """Return the controls in force, of any scope, and the strategy's risk rows in force."""
        return self._connection.run(_in_force(strategy_id))
