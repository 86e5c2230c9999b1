"""Finds signals by any of strategy, pair, timeframe and span of bars, now or as the bus stood at a moment."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.documents import signal_from_row
from quantbus_contracts.mongo.driver_errors import translated_errors
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import PublishedSignal

__all__ = ["SignalFilter", "SignalSearch", "readable_signal"]

COLLECTION = "crypto_signals"
_BATCH = 2_000
_HEX_AFTER_F = "g"

Unreadable = Callable[[str], None]
"""Told the id of a row that no model can be made of (written past the validators)."""


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Which signals: None means any. ``since <= ts < until``; ``as_of`` is when the bus is looked at."""

    strategy_id: str | None = None
    pair: str | None = None
    timeframe: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    as_of: datetime | None = None

    def conditions(self, place: str = "") -> Row:
        """Return the query; ``place`` is what stands before each field's name."""
        named = {"strategy_id": self.strategy_id, "pair": self.pair, "timeframe": self.timeframe}
        query: Row = {f"{place}{name}": {"$eq": value} for name, value in named.items() if value is not None}
        span = {"$gte": self.since, "$lt": self.until}
        bounds = {operator: bound for operator, bound in span.items() if bound is not None}
        if bounds:
            query[f"{place}ts"] = bounds
        if self.as_of is not None:  # it existed if any revision did, and the first is the earliest
            stood = {"$lte": self.as_of}
            query["$or"] = [{f"{place}available_at": stood}, {f"{place}history.0.available_at": stood}]
        return query


def readable_signal(row: Row, unreadable: Unreadable | None = None) -> PublishedSignal | None:
    """Return the model of a row; None where it cannot be read, which must not hide the others."""
    try:
        return signal_from_row(row)
    except (ValidationError, KeyError, TypeError, ValueError, ArithmeticError):
        if unreadable is not None:
            unreadable(str(row.get("_id")))
        return None


def _ids_beginning_with(prefix: str, limit: int) -> Steps[list[str]]:
    query = {"_id": {"$gte": prefix, "$lt": prefix + _HEX_AFTER_F}}
    rows = yield find(COLLECTION, query, {"_id": 1}, sort=[("_id", 1)], limit=limit)
    return [row["_id"] for row in rows]


class SignalSearch:
    """Finds signals, synchronously; any number of them, without holding them all."""

    def __init__(self, connection: Connection, *, unreadable: Unreadable | None = None) -> None:
        """Search over ``connection``; ``unreadable`` is told of each row that is left out."""
        self._connection = connection
        self._unreadable = unreadable

    def newest(self, chosen: SignalFilter, *, limit: int) -> list[PublishedSignal]:
        """Return at most ``limit`` signals, the newest bar first."""
        return list(self._read(chosen, direction=-1, limit=limit))

    def each(self, chosen: SignalFilter) -> Iterator[PublishedSignal]:
        """Yield every signal, the oldest bar first."""
        return self._read(chosen, direction=1, limit=0)

    def ids_beginning_with(self, prefix: str, *, limit: int = 6) -> list[str]:
        """Return at most ``limit`` ids that begin with these hexadecimal digits."""
        return self._connection.run(_ids_beginning_with(prefix, limit))

    def _read(self, chosen: SignalFilter, *, direction: int, limit: int) -> Iterator[PublishedSignal]:
        order = [("ts", direction), ("strategy_id", 1), ("pair", 1), ("timeframe", 1)]
        with translated_errors():
            cursor = self._connection.collection(COLLECTION).find(
                chosen.conditions(), sort=order, limit=limit, batch_size=_BATCH, allow_disk_use=True
            )
            with cursor:
                for row in cursor:
                    signal = readable_signal(row, self._unreadable)
                    if signal is not None and chosen.as_of is not None:
                        signal = signal.as_of(chosen.as_of)
                    if signal is not None:
                        yield signal
