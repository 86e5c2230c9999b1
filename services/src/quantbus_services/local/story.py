"""What has happened so far: read from the bus, the bot's own REST API and the monitor; told as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.mongo.candle_reader import AsyncCandleReader
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.mongo.signal_reader import AsyncSignalReader
from quantbus_contracts.schema import Execution, ExecutionState, PublishedSignal
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Journey", "Scene", "Storyteller", "Trade", "journeys"]


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade as Freqtrade tells it. Prices and profit in quote currency."""

    trade_id: int
    pair: str
    is_open: bool
    opened_at: str
    closed_at: str | None
    open_rate: float
    close_rate: float | None
    profit: float | None
    profit_ratio: float | None
    exit_reason: str | None
    entry_tag: str | None


@dataclass(frozen=True, slots=True)
class Scene:
    """The state of the stack at one look."""

    last_bars: dict[str, datetime] = field(default_factory=dict)
    signals: tuple[PublishedSignal, ...] = ()
    executions: tuple[Execution, ...] = ()
    trades: tuple[Trade, ...] = ()
    processes: tuple[str, ...] = ()

    @property
    def round_trip(self) -> Trade | None:
        """The first trade that was entered and left, each by a signal that the ledger shows as filled."""
        filled = [row for row in self.executions if row.state is ExecutionState.FILLED]
        sides = {(row.trade_id, str(row.side).split("_")[0]) for row in filled}
        for trade in self.trades:
            if not trade.is_open and {(trade.trade_id, "enter"), (trade.trade_id, "exit")} <= sides:
                return trade
        return None


@dataclass(frozen=True, slots=True)
class Journey:
    """One signal's way: seconds after its bar closed, or None where it did not come so far."""

    pair: str
    action: str
    closed_at: datetime
    available: float
    seen: float | None
    ordered: float | None
    filled: float | None
    state: str
    reason: str


def journeys(scene: Scene) -> list[Journey]:
    """Return every signal's way, oldest first."""
    ledger = {row.signal_id: row for row in scene.executions}
    told = []
    for item in sorted(scene.signals, key=lambda one: (one.signal.ts, one.signal.pair)):
        closed_at = item.signal.closes_at
        row = ledger.get(item.signal_id)
        told.append(
            Journey(
                pair=item.signal.pair,
                action=item.signal.action or "",
                closed_at=closed_at,
                available=(item.first_available_at - closed_at).total_seconds(),
                seen=_after(closed_at, row.seen_at if row else None),
                ordered=_after(closed_at, row.ordered_at if row else None),
                filled=_after(closed_at, row.filled_at if row else None),
                state=row.state.value if row else "not seen",
                reason=(row.reason or "") if row else "",
            )
        )
    return told


def _after(start: datetime, moment: datetime | None) -> float | None:
    return (moment - start).total_seconds() if moment else None


class Storyteller:
    """Looks at the whole stack. What cannot be read now is left as it was at the last look."""

    def __init__(
        self, connection: AsyncConnection, http: httpx.AsyncClient, *, since: datetime, timeframe: Timeframe
    ) -> None:
        """Tell what happened from ``since`` on."""
        self._candles = AsyncCandleReader(connection)
        self._signals = AsyncSignalReader(connection)
        self._executions = AsyncExecutionReader(connection)
        self._heartbeats = AsyncHeartbeatStore(connection)
        self._http = http
        self._since = since
        self._timeframe = timeframe
        self._scene = Scene()

    async def look(self) -> Scene:
        """Return the state of the stack now."""
        last = self._scene
        try:
            last = Scene(
                last_bars=await self._candles.last_open_times(self._timeframe),
                signals=tuple(await self._signals.published_since(self._since)),
                executions=tuple(await self._executions.since(self._since)),
                trades=last.trades,
                processes=tuple(beat.process for beat in await self._heartbeats.all()),
            )
        except BusUnavailable:
            return last
        self._scene = Scene(
            last.last_bars, last.signals, last.executions, await self._trades(last.trades), last.processes
        )
        return self._scene

    async def _trades(self, known: Sequence[Trade]) -> tuple[Trade, ...]:
        try:
            open_ones = (await self._http.get("/api/v1/status")).raise_for_status().json()
            closed = (await self._http.get("/api/v1/trades")).raise_for_status().json()["trades"]
        except (httpx.HTTPError, ValueError, KeyError):
            return tuple(known)
        merged = {row["trade_id"]: _trade(row) for row in [*open_ones, *closed]}
        return tuple(merged[key] for key in sorted(merged))


def _trade(row: dict[str, Any]) -> Trade:
    return Trade(
        trade_id=row["trade_id"],
        pair=row["pair"],
        is_open=row["is_open"],
        opened_at=row["open_date"],
        closed_at=row.get("close_date"),
        open_rate=row["open_rate"],
        close_rate=row.get("close_rate"),
        profit=row.get("profit_abs"),
        profit_ratio=row.get("profit_ratio"),
        exit_reason=row.get("exit_reason"),
        entry_tag=row.get("enter_tag"),
    )
