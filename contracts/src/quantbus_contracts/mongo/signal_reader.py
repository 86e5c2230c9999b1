"""Reads signals: from the primary, with majority read concern, the server's clock brought along."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from quantbus_contracts.mongo.client import AsyncConnection, Connection, row_of
from quantbus_contracts.mongo.documents import signal_from_row
from quantbus_contracts.mongo.known_signals import Known, without_giants
from quantbus_contracts.mongo.long_reads import read_in_order
from quantbus_contracts.mongo.server_clock import and_the_time
from quantbus_contracts.mongo.steps import Row, Steps, aggregate, aggregate_undecoded, find
from quantbus_contracts.ports import SignalSnapshot
from quantbus_contracts.schema import PublishedSignal, PublishRun
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncSignalReader", "SignalReader", "as_of", "get", "newest", "span"]

COLLECTION = "crypto_signals"


def _of(strategy_id: str, timeframe: Timeframe, pairs: Sequence[str] | None) -> Row:
    match: Row = {"strategy_id": {"$eq": strategy_id}, "timeframe": timeframe.name}
    return match if pairs is None else match | {"pair": {"$in": list(pairs)}}


def newest_pipeline(
    strategy_id: str,
    timeframe: Timeframe,
    pairs: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None = None,
) -> list[Row]:
    """Return the pipeline for each pair's newest signal (of any pair where None), and the server's clock.

    The sort follows the unique key backwards, right after the match, and the group takes one field and ``$first``,
    so that the server jumps from pair to pair instead of reading them all.
    """
    match = _of(strategy_id, timeframe, pairs)
    bounds = {"$gte": since, "$lte": until}
    if since is not None or until is not None:
        match["ts"] = {operator: bound for operator, bound in bounds.items() if bound is not None}
    return [
        {"$match": match},
        {"$sort": {"pair": -1, "ts": -1}},
        {"$group": {"_id": "$pair", "row": {"$first": "$$ROOT"}}},
        without_giants("row"),
        {"$unset": "row.history"},
        and_the_time(COLLECTION),
    ]


def shown_pipeline(
    strategy_id: str, timeframe: Timeframe, pairs: Sequence[str] | None, moment: datetime
) -> list[Row]:
    """Return the pipeline for each pair's newest signal of those that stood at ``moment``, with its history.

    The pairs are found by jumps as in `newest_pipeline`; then each pair's rows are gone through from the newest
    bar on, only as far as the first that was there.
    """
    match = _of(strategy_id, timeframe, pairs)
    stood = {"$lte": moment}
    return [
        {"$match": match},
        {"$sort": {"pair": -1, "ts": -1}},
        {"$group": {"_id": "$pair", "newest": {"$first": "$ts"}}},
        {
            "$lookup": {
                "from": COLLECTION,
                "localField": "_id",
                "foreignField": "pair",
                "pipeline": [
                    {
                        "$match": {
                            "strategy_id": match["strategy_id"],
                            "timeframe": match["timeframe"],
                            "$or": [{"available_at": stood}, {"history.0.available_at": stood}],
                        }
                    },
                    {"$sort": {"ts": -1}},
                    {"$limit": 1},
                ],
                "as": "shown",
            }
        },
        {"$unwind": "$shown"},
        {"$project": {"newest": "$shown"}},
        and_the_time(COLLECTION),
    ]


def as_of(
    moment: datetime, strategy_id: str, timeframe: Timeframe, pairs: Sequence[str] | None
) -> Steps[SignalSnapshot]:
    """Return what the bus showed at ``moment``; ``now`` of the answer is that moment."""
    rows = yield aggregate(COLLECTION, shown_pipeline(strategy_id, timeframe, pairs, moment))
    shown = {pair: item.as_of(moment) for pair, item in _readable(rows[:-1]).items()}
    return SignalSnapshot(
        now=moment, signals={pair: item for pair, item in shown.items() if item is not None}
    )


def newest(
    strategy_id: str,
    timeframe: Timeframe,
    pairs: Sequence[str] | None,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    known: Known | None = None,
) -> Steps[SignalSnapshot]:
    """Return each pair's newest signal, without history, and the server's clock."""
    documents = yield aggregate_undecoded(
        COLLECTION, newest_pipeline(strategy_id, timeframe, pairs, since, until)
    )
    now: datetime = row_of(documents.pop())["now"]
    signals, unreadable = (known or Known()).read(documents)
    return SignalSnapshot(now=now, signals=signals, unreadable=unreadable)


def _readable(rows: Sequence[Row]) -> dict[str, PublishedSignal]:
    signals = {}
    for row in rows:
        # One malformed row (written past the validators) must not hide the others.
        try:
            signals[row["_id"]] = signal_from_row(row["newest"])
        except (ValidationError, KeyError, TypeError, ValueError, ArithmeticError):
            continue
    return signals


def get(signal_id: str) -> Steps[PublishedSignal | None]:
    """Return one signal with its history; None if unknown."""
    rows = yield find(COLLECTION, {"_id": {"$eq": signal_id}}, None, limit=1)
    return signal_from_row(rows[0]) if rows else None


def span(
    strategy_id: str, timeframe: Timeframe, pairs: Sequence[str] | None, start: datetime, end: datetime
) -> Steps[list[PublishedSignal]]:
    """Return the signals with ``ts`` in ``[start, end)`` and their history, by bar, then by pair."""
    query = _of(strategy_id, timeframe, pairs) | {"ts": {"$gte": start, "$lt": end}}
    rows = yield find(COLLECTION, query, None, sort=[("ts", 1), ("pair", 1)], batch_size=5_000)
    return [signal_from_row(row) for row in rows]


def _runs(strategy_id: str, timeframe: Timeframe, start: datetime, end: datetime) -> Steps[list[PublishRun]]:
    query = {"strategy_id": strategy_id, "timeframe": timeframe.name, "ts": {"$gte": start, "$lt": end}}
    rows = yield find("publish_runs", query, {"_id": 0}, sort=[("ts", 1)])
    return [PublishRun(**row) for row in rows]


def _last_run(strategy_id: str, timeframe: Timeframe) -> Steps[PublishRun | None]:
    query = {"strategy_id": strategy_id, "timeframe": timeframe.name}
    rows = yield find("publish_runs", query, {"_id": 0}, sort=[("ts", -1)], limit=1)
    return PublishRun(**rows[0]) if rows else None


def _published_since(moment: datetime, limit: int) -> Steps[list[PublishedSignal]]:
    rows = yield from read_in_order(
        COLLECTION,
        {"available_at": {"$gte": moment}},
        {"history": {"$slice": 1}},
        by="available_at",
        limit=limit,
    )
    newest = {row["_id"]: row for row in rows}  # of one that was revised while we read
    return [signal_from_row(row) for row in sorted(newest.values(), key=lambda row: row["available_at"])]


class SignalReader:
    """Reads signals, synchronously; see `quantbus_contracts.ports.SignalReader`."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection
        self._known = Known()

    def newest(
        self,
        strategy_id: str,
        timeframe: Timeframe,
        pairs: Sequence[str],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> SignalSnapshot:
        """Return each pair's newest signal (``since <= ts <= until``, without history) in one query."""
        return self._connection.run(newest(strategy_id, timeframe, pairs, since, until, known=self._known))

    def get(self, signal_id: str) -> PublishedSignal | None:
        """Return one signal with its history; None if unknown."""
        return self._connection.run(get(signal_id))

    def range(
        self, strategy_id: str, timeframe: Timeframe, pair: str, start: datetime, end: datetime
    ) -> list[PublishedSignal]:
        """Return a pair's signals with ``ts`` in ``[start, end)``, oldest first."""
        return self._connection.run(span(strategy_id, timeframe, [pair], start, end))

    def runs(
        self, strategy_id: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[PublishRun]:
        """Return the evaluations with ``ts`` in ``[start, end)``, oldest first."""
        return self._connection.run(_runs(strategy_id, timeframe, start, end))

    def last_run(self, strategy_id: str, timeframe: Timeframe) -> PublishRun | None:
        """Return the newest evaluation (by ``ts``); None if there is none."""
        return self._connection.run(_last_run(strategy_id, timeframe))

    def published_since(self, moment: datetime, *, limit: int = 1_000) -> list[PublishedSignal]:
        """Return signals whose newest revision became available at or after ``moment``, oldest first.

        Of their history they carry the first revision only.
        """
        return self._connection.run(_published_since(moment, limit))


class AsyncSignalReader:
    """Reads signals, asynchronously; the methods are those of `SignalReader`, awaited."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection
        self._known = Known()

    async def newest(
        self,
        strategy_id: str,
        timeframe: Timeframe,
        pairs: Sequence[str],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> SignalSnapshot:
        """Return each pair's newest signal (``since <= ts <= until``, without history) in one query."""
        steps = newest(strategy_id, timeframe, pairs, since, until, known=self._known)
        return await self._connection.run(steps)

    async def get(self, signal_id: str) -> PublishedSignal | None:
        """Return one signal with its history; None if unknown."""
        return await self._connection.run(get(signal_id))

    async def range(
        self, strategy_id: str, timeframe: Timeframe, pair: str, start: datetime, end: datetime
    ) -> list[PublishedSignal]:
        """Return a pair's signals with ``ts`` in ``[start, end)``, oldest first."""
        return await self._connection.run(span(strategy_id, timeframe, [pair], start, end))

    async def runs(
        self, strategy_id: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[PublishRun]:
        """Return the evaluations with ``ts`` in ``[start, end)``, oldest first."""
        return await self._connection.run(_runs(strategy_id, timeframe, start, end))

    async def last_run(self, strategy_id: str, timeframe: Timeframe) -> PublishRun | None:
        """Return the newest evaluation (by ``ts``); None if there is none."""
        return await self._connection.run(_last_run(strategy_id, timeframe))

    async def published_since(self, moment: datetime, *, limit: int = 1_000) -> list[PublishedSignal]:
        """Return signals whose newest revision became available at or after ``moment``, oldest first.

        Of their history they carry the first revision only.
        """
        return await self._connection.run(_published_since(moment, limit))
