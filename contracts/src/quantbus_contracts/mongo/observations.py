"""Stores funding rates, mark prices, open interest and depth: one routine for every kind of observation."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from quantbus_contracts.errors import ContractError
from quantbus_contracts.mongo._diff_insert import diff_insert
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import CandleReport, Observation

__all__ = ["AsyncObservationStore", "ObservationStore", "range_query"]

Kind = TypeVar("Kind", bound=Observation)
_BATCH = 10_000


def range_query(symbol: str, start: datetime, end: datetime) -> Row:
    """Return the filter for the observations of a symbol in ``[start, end)``.

    Raises
    ------
    ContractError
        If a bound has no time zone: nobody can know what it means.
    """
    for moment in (start, end):
        if moment.tzinfo is None:
            raise ContractError(f"expected an aware datetime, found the naive {moment.isoformat()}")
    return {"symbol": {"$eq": symbol}, "datetime": {"$gte": start, "$lt": end}}


def _row(observation: Observation) -> Row:
    values = observation.model_dump(mode="python", exclude={"at", "symbol", "source"})
    if "levels" in values:
        values["levels"] = list(values["levels"])
    return keyed_row(observation.key, {"datetime": observation.at, "symbol": observation.symbol, **values})


def _from_row(model: type[Kind], row: Row) -> Kind:
    values = {name: row[name] for name in model.model_fields if name in row}
    return model(**{**values, "at": row["datetime"]})


def _batches(observations: Iterable[Observation]) -> Iterator[tuple[str, str, str, list[Observation]]]:
    """Group by (collection, symbol, source) into sorted batches without twins; the last twin wins."""

    def group(item: Observation) -> tuple[str, str, str]:
        return item.collection, item.symbol, item.source

    for (collection, symbol, source), members in groupby(sorted(observations, key=group), key=group):
        distinct = {item.at: item for item in members}
        ordered = [distinct[moment] for moment in sorted(distinct)]
        for start in range(0, len(ordered), _BATCH):
            yield collection, symbol, source, ordered[start : start + _BATCH]


def _write(collection: str, symbol: str, source: str, batch: Sequence[Observation]) -> Steps[CandleReport]:
    span = {"symbol": {"$eq": symbol}, "datetime": {"$gte": batch[0].at, "$lte": batch[-1].at}}
    return (yield from diff_insert(collection, [_row(item) for item in batch], span, source))


def _range(model: type[Kind], symbol: str, start: datetime, end: datetime) -> Steps[list[Kind]]:
    rows = yield find(
        model.collection, range_query(symbol, start, end), None, sort=[("datetime", 1)], batch_size=10_000
    )
    return [_from_row(model, row) for row in rows]


def _last(model: type[Kind], symbol: str, until: datetime | None) -> Steps[Kind | None]:
    query: Row = {"symbol": {"$eq": symbol}} | ({"datetime": {"$lte": until}} if until else {})
    rows = yield find(model.collection, query, None, sort=[("datetime", -1)], limit=1)
    return _from_row(model, rows[0]) if rows else None


class ObservationStore:
    """Reads and writes observations, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self.connection = connection

    def write(self, observations: Sequence[Observation]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest; kinds and symbols may be mixed."""
        report = CandleReport()
        for batch in _batches(observations):
            report += self.connection.run(_write(*batch))
        return report

    def range(self, model: type[Kind], symbol: str, start: datetime, end: datetime) -> list[Kind]:
        """Return a symbol's observations in ``[start, end)``, oldest first."""
        return self.connection.run(_range(model, symbol, start, end))

    def last(self, model: type[Kind], symbol: str, *, until: datetime | None = None) -> Kind | None:
        """Return the newest observation (at or before ``until``); None if there is none."""
        return self.connection.run(_last(model, symbol, until))


class AsyncObservationStore:
    """Reads and writes observations, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def write(self, observations: Sequence[Observation]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest; kinds and symbols may be mixed."""
        report = CandleReport()
        for batch in _batches(observations):
            report += await self._connection.run(_write(*batch))
        return report

    async def range(self, model: type[Kind], symbol: str, start: datetime, end: datetime) -> list[Kind]:
        """Return a symbol's observations in ``[start, end)``, oldest first."""
        return await self._connection.run(_range(model, symbol, start, end))

    async def last(self, model: type[Kind], symbol: str, *, until: datetime | None = None) -> Kind | None:
        """Return the newest observation (at or before ``until``); None if there is none."""
        return await self._connection.run(_last(model, symbol, until))
