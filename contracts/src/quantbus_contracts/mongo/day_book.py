"""What a report about one day asks and no process does: each answer by an index, bounded, and light on rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.candle_reader import when_of
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.long_reads import read_in_order
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, find
from quantbus_contracts.schema import BROKEN_GAPS, Execution, Fill, Gap
from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "AsyncDayBook",
    "Evaluated",
    "RefusedRows",
    "RevisedBars",
    "SaidSignal",
    "Told",
]

_BATCH = 5_000
_MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class SaidSignal:
    """A signal as it first stood on the bus; the report needs no more of it."""

    signal_id: str
    strategy_id: str
    symbol: str
    pair: str
    timeframe: str
    ts: datetime
    origin: str
    available_at: datetime
    computed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """Signals of a span of time; ``unreadable`` rows were written past the validators."""

    signals: Sequence[SaidSignal]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A strategy was evaluated for a bar."""

    strategy_id: str
    ts: datetime
    degraded: str | None


@dataclass(frozen=True, slots=True)
class RevisedBars:
    """Bars of one series that were corrected, or of which two sources said different things."""

    symbol: str
    timeframe: str
    bars: int
    most: float
    """The largest change of a close among them, as a share of what stood before."""


@dataclass(frozen=True, slots=True)
class RefusedRows:
    """Rows of one publisher that the bus did not take, by the field that was wrong; with one of the reasons."""

    published_by: str
    field: str
    rows: int
    reason: str


def _within(start: datetime, end: datetime) -> Row:
    return {"$gte": start, "$lt": end}


def _signals(start: datetime, end: datetime, limit: int) -> Steps[Told]:
    wanted = {"strategy_id", "symbol", "pair", "timeframe", "ts", "origin", "available_at", "computed_at"}
    within = _within(start, end)
    rows = yield from read_in_order(
        "crypto_signals",
        {
            "available_at": {"$gte": start},
            "$or": [{"available_at": within}, {"history.0.available_at": within}],
        },
        {**dict.fromkeys(sorted(wanted), 1), "history": {"$slice": 1}},
        by="available_at",
        limit=limit,
        hint=[("available_at", 1)],
    )
    read = [_said(row) for row in rows]
    signals = [item for item in read if item is not None and start <= item.available_at < end]
    return Told(signals, unreadable=sum(item is None for item in read))


def _said(row: Row) -> SaidSignal | None:
    try:
        first = row["history"][0] if row.get("history") else row
        said = SaidSignal(
            signal_id=row["_id"],
            strategy_id=row["strategy_id"],
            symbol=row["symbol"],
            pair=row["pair"],
            timeframe=row["timeframe"],
            ts=row["ts"],
            origin=first["origin"],
            available_at=first["available_at"],
            computed_at=first.get("computed_at"),
        )
        Timeframe.parse(said.timeframe)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    moments = (said.ts, said.available_at, *([said.computed_at] if said.computed_at is not None else []))
    return said if all(isinstance(moment, datetime) for moment in moments) else None


def _runs(
    strategy_ids: Collection[str], timeframe: Timeframe, start: datetime, end: datetime, limit: int
) -> Steps[list[Evaluated]]:
    rows = yield find(
        "publish_runs",
        {
            "strategy_id": {"$in": sorted(strategy_ids)},
            "timeframe": timeframe.name,
            "ts": _within(start, end),
        },
        {"_id": 0, "strategy_id": 1, "ts": 1, "degraded": 1},
        limit=limit,
        batch_size=_BATCH,
    )
    return [Evaluated(row["strategy_id"], row["ts"], row.get("degraded")) for row in rows]


def _ledger(start: datetime, end: datetime, limit: int) -> Steps[list[Execution]]:
    query = {"seen_at": _within(start, end)}
    rows = yield from read_in_order("executions", query, {"_id": 0}, by="seen_at", limit=limit)
    return [Execution(**row) for row in rows]


def _fills(start: datetime, end: datetime, limit: int) -> Steps[list[Fill]]:
    query = {"filled_at": _within(start, end)}
    rows = yield from read_in_order("fills", query, {"_id": 0}, by="filled_at", limit=limit)
    return [Fill(**row) for row in rows]


def _fills_before(ended: Collection[Fill], start: datetime, limit: int) -> Steps[list[Fill]]:
    query: Row = {
        "consumer_id": {"$in": sorted({fill.consumer_id for fill in ended})},
        "pair": {"$in": sorted({fill.pair for fill in ended})},
        "trade_id": {"$in": sorted({fill.trade_id for fill in ended})},
        "filled_at": {"$lt": start},
    }
    rows = yield find("fills", query, {"_id": 0}, sort=[("filled_at", 1)], limit=limit, batch_size=_BATCH)
    return [Fill(**row) for row in rows]


def _gaps(start: datetime, end: datetime, limit: int) -> Steps[list[Gap]]:
    query: Row = {
        "$or": [
            {"first_seen": _within(start, end)},
            {"state": {"$in": sorted(state.value for state in BROKEN_GAPS)}, "first_seen": {"$lt": end}},
        ]
    }
    order = [("symbol", 1), ("timeframe", 1), ("start", 1)]
    rows = yield find("crypto_gaps", query, {"_id": 0}, sort=order, limit=limit)
    return [Gap(**row) for row in rows]


def _changed(collection: str, when: str, before: str, after: str) -> Any:
    def ask(start: datetime, end: datetime) -> Steps[list[RevisedBars]]:
        change: Row = {"$abs": {"$subtract": [{"$divide": [after, before]}, 1]}}
        rows = yield aggregate(
            collection,
            [
                {"$match": {when: _within(start, end)}},
                {
                    "$group": {
                        "_id": {"symbol": "$symbol", "timeframe": "$timeframe"},
                        "bars": {"$sum": 1},
                        "most": {"$max": change},
                    }
                },
                {"$sort": {"bars": -1, "_id": 1}},
                {"$limit": _MOST_GROUPS},
            ],
        )
        return [
            RevisedBars(row["_id"]["symbol"], row["_id"]["timeframe"], row["bars"], row["most"])
            for row in rows
        ]

    return ask


_revised = _changed("crypto_market_revisions", "new.ingested_at", "$old.close", "$new.close")
_disagreed = _changed("crypto_disagreements", "seen_at", "$close", "$other_close")


def _refused(start: datetime, end: datetime) -> Steps[list[RefusedRows]]:
    rows = yield aggregate(
        "crypto_signals_rejected",
        [
            {"$match": {"rejected_at": _within(start, end)}},
            {
                "$group": {
                    "_id": {"by": "$published_by", "field": "$field"},
                    "rows": {"$sum": 1},
                    "reason": {"$first": "$reason"},
                }
            },
            {"$sort": {"rows": -1, "_id": 1}},
            {"$limit": _MOST_GROUPS},
        ],
    )
    return [
        RefusedRows(row["_id"].get("by", ""), row["_id"].get("field", ""), row["rows"], row["reason"])
        for row in rows
    ]


def _closes(timeframe: Timeframe, symbols: Collection[str]) -> Steps[dict[str, float]]:
    when = when_of(timeframe)
    rows = yield aggregate(
        candle_collection(timeframe),
        [
            {"$match": {"symbol": {"$in": sorted(symbols)}}},
            {"$sort": {"symbol": -1, when: -1}},
            {"$group": {"_id": "$symbol", "row": {"$first": "$$ROOT"}}},
            {"$project": {"close": "$row.close"}},
        ],
    )
    return {row["_id"]: row["close"] for row in rows}


class AsyncDayBook:
    """Reads what happened in ``[start, end)``, asynchronously; at most ``limit`` rows of each kind."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def signals(self, start: datetime, end: datetime, limit: int) -> Told:
        """Return the signals that first stood on the bus then, whatever was revised since."""
        return await self._connection.run(_signals(start, end, limit))

    async def runs(
        self, strategy_ids: Collection[str], timeframe: Timeframe, start: datetime, end: datetime, limit: int
    ) -> Sequence[Evaluated]:
        """Return for which bars with ``ts`` in the span these strategies were evaluated."""
        return await self._connection.run(_runs(strategy_ids, timeframe, start, end, limit))

    async def ledger(self, start: datetime, end: datetime, limit: int) -> Sequence[Execution]:
        """Return the rows of the ledger about signals that consumers saw then."""
        return await self._connection.run(_ledger(start, end, limit))

    async def fills(self, start: datetime, end: datetime, limit: int) -> Sequence[Fill]:
        """Return what was filled then, oldest first."""
        return await self._connection.run(_fills(start, end, limit))

    async def fills_before(self, ended: Collection[Fill], start: datetime, limit: int) -> Sequence[Fill]:
        """Return earlier fills of the same trades, oldest first; others of the same numbers may come along."""
        return await self._connection.run(_fills_before(ended, start, limit)) if ended else ()

    async def gaps(self, start: datetime, end: datetime, limit: int) -> Sequence[Gap]:
        """Return the gaps first seen then, and older ones in which bars may still be missing."""
        return await self._connection.run(_gaps(start, end, limit))

    async def revised(self, start: datetime, end: datetime) -> Sequence[RevisedBars]:
        """Return the series of which bars were corrected then."""
        revised: list[RevisedBars] = await self._connection.run(_revised(start, end))
        return revised

    async def disagreed(self, start: datetime, end: datetime) -> Sequence[RevisedBars]:
        """Return the series of which two sources were found to say different things then."""
        disagreed: list[RevisedBars] = await self._connection.run(_disagreed(start, end))
        return disagreed

    async def refused(self, start: datetime, end: datetime) -> Sequence[RefusedRows]:
        """Return what the bus did not take then, by publisher and field."""
        return await self._connection.run(_refused(start, end))

    async def closes(self, timeframe: Timeframe, symbols: Collection[str]) -> dict[str, float]:
        """Return the newest close of each of these symbols that has a bar."""
        return await self._connection.run(_closes(timeframe, symbols)) if symbols else {}
