"""What a page for people asks and no process does: the newest few of something, each by an index and bounded."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.signal_search import readable_signal
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import Balance, Execution, Fill, Holding, PublishedSignal
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncGlances", "PairSpan"]

_SIGNALS = "crypto_signals"
_FIRST_REVISION: Row = {"history": {"$slice": 1}}
_LOOK_BACK = timedelta(days=7)
"""From a strategy's newest signal on: what is older is not recent, and may be far down the index."""


@dataclass(frozen=True, slots=True)
class PairSpan:
    """Signals of some strategies on one pair, with ``ts`` in ``[start, end)``."""

    strategy_ids: Collection[str]
    pair: str
    timeframe: Timeframe
    start: datetime
    end: datetime


def _latest(limit: int) -> Steps[list[PublishedSignal]]:
    rows = yield find(_SIGNALS, {}, _FIRST_REVISION, sort=[("available_at", -1)], limit=limit)
    return _readable(rows)


def _of_strategy(strategy_id: str, newest: datetime, limit: int) -> Steps[list[PublishedSignal]]:
    query = {
        "available_at": {"$lte": newest, "$gte": newest - _LOOK_BACK},
        "strategy_id": {"$eq": strategy_id},
    }
    rows = yield find(
        _SIGNALS,
        query,
        _FIRST_REVISION,
        sort=[("available_at", -1)],
        hint=[("available_at", 1)],
        limit=limit,
    )
    return _readable(rows)


def _of_pair(span: PairSpan, limit: int) -> Steps[list[PublishedSignal]]:
    query = {
        "strategy_id": {"$in": sorted(span.strategy_ids)},
        "pair": {"$eq": span.pair},
        "timeframe": span.timeframe.name,
        "ts": {"$gte": span.start, "$lt": span.end},
    }
    rows = yield find(_SIGNALS, query, _FIRST_REVISION, sort=[("ts", -1)], limit=limit)
    return _readable(rows)[::-1]


def _readable(rows: Sequence[Row]) -> list[PublishedSignal]:
    return [signal for row in rows if (signal := readable_signal(row)) is not None]


def _ledger(query: Row, order: str, limit: int) -> Steps[list[Execution]]:
    rows = yield find("executions", query, {"_id": 0}, sort=[(order, -1)], limit=limit)
    return [Execution(**row) for row in rows]


def _fills(query: Row, limit: int) -> Steps[list[Fill]]:
    rows = yield find("fills", query, {"_id": 0}, sort=[("filled_at", -1)], limit=limit)
    return [Fill(**row) for row in rows]


def _books(collection: str, *order: str) -> Steps[list[Row]]:
    rows: list[Row] = yield find(collection, {}, {"_id": 0}, sort=[(name, 1) for name in order])
    return rows


class AsyncGlances:
    """Reads the newest few, asynchronously. Signals carry the first of their earlier revisions only."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def latest_signals(self, limit: int) -> list[PublishedSignal]:
        """Return the signals last published or revised, whoever's, the newest first."""
        return await self._connection.run(_latest(limit))

    async def signals_of(self, strategy_id: str, newest: datetime, limit: int) -> list[PublishedSignal]:
        """Return a strategy's last signals before ``newest`` (when its newest became available), newest first."""
        return await self._connection.run(_of_strategy(strategy_id, newest, limit))

    async def signals_of_pair(self, span: PairSpan, limit: int) -> list[PublishedSignal]:
        """Return the newest signals of a pair, oldest first."""
        return await self._connection.run(_of_pair(span, limit))

    async def ledger_of(self, signal_ids: Collection[str], limit: int) -> list[Execution]:
        """Return what consumers did with these signals."""
        query = {"signal_id": {"$in": list(signal_ids)}}
        return await self._connection.run(_ledger(query, "seen_at", limit))

    async def ledger_of_strategy(self, strategy_id: str, limit: int) -> list[Execution]:
        """Return what consumers did with a strategy's signals, the newest bar first."""
        return await self._connection.run(_ledger({"strategy_id": {"$eq": strategy_id}}, "ts", limit))

    async def fills(
        self, start: datetime, end: datetime, limit: int, *, pair: str | None = None
    ) -> list[Fill]:
        """Return the newest fills in ``[start, end)``, of one pair or of all, newest first."""
        query: Row = {"filled_at": {"$gte": start, "$lt": end}}
        if pair is not None:
            query["pair"] = {"$eq": pair}
        return await self._connection.run(_fills(query, limit))

    async def fills_of(self, signal_id: str, limit: int) -> list[Fill]:
        """Return the fills that one signal caused, newest first."""
        return await self._connection.run(_fills({"signal_id": {"$eq": signal_id}}, limit))

    async def holdings(self) -> list[Holding]:
        """Return what is, or was last, known of each pair of each bot."""
        rows = await self._connection.run(_books("positions", "consumer_id", "pair"))
        return [Holding(**row) for row in rows]

    async def balances(self) -> list[Balance]:
        """Return what each bot has of each currency."""
        rows = await self._connection.run(_books("balances", "consumer_id", "currency"))
        return [Balance(**row) for row in rows]
