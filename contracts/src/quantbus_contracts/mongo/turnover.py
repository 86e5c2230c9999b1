"""What was traded, by symbol: sums over stored bars, made by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.candle_reader import range_query
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.steps import Steps, aggregate, new_deadline
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Turnover", "TurnoverReader"]

_AT_ONCE = 50  # symbols a question: each is a range of the unique index


@dataclass(frozen=True, slots=True)
class Turnover:
    """What one symbol traded in a range."""

    quote_volume: float
    """Sum of close times volume: close to the venue's own figure, which bars do not carry."""
    bars: int


def _turnover(
    symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
) -> Steps[dict[str, Turnover]]:
    found: dict[str, Turnover] = {}
    for first in range(0, len(symbols), _AT_ONCE):
        query = range_query("", timeframe, start, end)
        query["symbol"] = {"$in": list(symbols[first : first + _AT_ONCE])}
        rows = yield aggregate(
            candle_collection(timeframe),
            [
                {"$match": query},
                {
                    "$group": {
                        "_id": "$symbol",
                        "quote_volume": {"$sum": {"$multiply": ["$close", "$volume"]}},
                        "bars": {"$sum": 1},
                    }
                },
            ],
        )
        found |= {row["_id"]: Turnover(float(row["quote_volume"]), int(row["bars"])) for row in rows}
        yield new_deadline()
    return found


class TurnoverReader:
    """Sums bars, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    def turnover(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> dict[str, Turnover]:
        """Return what each symbol traded in bars that open in ``[start, end)``; one without bars is left out."""
        return self._connection.run(_turnover(symbols, timeframe, start, end))
