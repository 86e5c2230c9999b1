"""Signals page by page, newest per pair or all of a span, now or as the bus stood at an earlier moment.

A page continues after the key it ended with, never at an offset: rows that arrive meanwhile neither shift nor
repeat what follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.documents import signal_from_row
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, find
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncSignalPages", "PageKey", "PageQuery", "SignalPage"]

COLLECTION = "crypto_signals"


@dataclass(frozen=True, slots=True)
class PageKey:
    """Where a page ended: its last pair and, in a span, its last bar."""

    pair: str
    ts: datetime


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What to read: ``ts`` in ``[start, end)``, of these pairs or of all, as the bus stood at ``as_of``."""

    strategy_id: str
    timeframe: Timeframe
    limit: int
    pairs: Sequence[str] = ()
    start: datetime | None = None
    end: datetime | None = None
    as_of: datetime | None = None
    after: PageKey | None = None


@dataclass(frozen=True, slots=True)
class SignalPage:
    """Signals by pair, the oldest bar of a pair first; ``after`` continues, None at the end.

    They carry no history, unless they were read as of a moment: then what came before that.
    """

    signals: tuple[PublishedSignal, ...]
    after: PageKey | None


def _match(query: PageQuery, *, each_pair_once: bool) -> Row:
    clauses: list[Row] = []
    if query.pairs:
        clauses.append({"pair": {"$in": list(query.pairs)}})
    if query.start is not None:
        clauses.append({"ts": {"$gte": query.start}})
    if query.end is not None:
        clauses.append({"ts": {"$lt": query.end}})
    if query.after is not None:
        next_pair = {"pair": {"$gt": query.after.pair}}
        same_pair = {"pair": {"$eq": query.after.pair}, "ts": {"$gt": query.after.ts}}
        clauses.append(next_pair if each_pair_once else {"$or": [next_pair, same_pair]})
    if query.as_of is not None:  # it existed if any revision did, and the first is the earliest
        stood = {"$lte": query.as_of}
        clauses.append({"$or": [{"available_at": stood}, {"history.0.available_at": stood}]})
    return {
        "strategy_id": {"$eq": query.strategy_id},
        "timeframe": query.timeframe.name,
        **({"$and": clauses} if clauses else {}),
    }


def latest_pipeline(query: PageQuery) -> list[Row]:
    """Return the pipeline for each pair's newest signal; sorted and grouped so that the index can jump."""
    return [
        {"$match": _match(query, each_pair_once=True)},
        {"$sort": {"pair": -1, "ts": -1}},  # the unique key backwards
        {"$group": {"_id": "$pair", "newest": {"$first": "$$ROOT"}}},
        {"$sort": {"_id": 1}},
        {"$limit": query.limit + 1},
        {"$replaceWith": "$newest"},
        *([] if query.as_of else [{"$unset": "history"}]),
    ]


def _latest(query: PageQuery) -> Steps[SignalPage]:
    rows = yield aggregate(COLLECTION, latest_pipeline(query))
    return _page(rows, query)


def _span(query: PageQuery) -> Steps[SignalPage]:
    rows = yield find(
        COLLECTION,
        _match(query, each_pair_once=False),
        None if query.as_of else {"history": 0},
        sort=[("pair", 1), ("ts", 1)],
        limit=query.limit + 1,
    )
    return _page(rows, query)


def _page(rows: list[Row], query: PageQuery) -> SignalPage:
    shown = rows[: query.limit]
    last = shown[-1] if len(rows) > query.limit else None
    return SignalPage(
        signals=tuple(signal for row in shown if (signal := _shown(row, query.as_of)) is not None),
        after=PageKey(last["pair"], last["ts"]) if last else None,
    )


def _shown(row: Row, as_of: datetime | None) -> PublishedSignal | None:
    try:
        signal = signal_from_row(row)
    except (ValidationError, KeyError, TypeError, ValueError, ArithmeticError):
        return None  # one malformed row (written past the validators) must not hide the others
    return signal if as_of is None else signal.as_of(as_of)


class AsyncSignalPages:
    """Reads signals in pages."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def latest(self, query: PageQuery) -> SignalPage:
        """Return each pair's newest signal."""
        return await self._connection.run(_latest(query))

    async def span(self, query: PageQuery) -> SignalPage:
        """Return every signal of the span."""
        return await self._connection.run(_span(query))
