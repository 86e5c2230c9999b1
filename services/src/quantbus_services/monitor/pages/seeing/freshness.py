"""``/data``: is every bar there that a strategy needs, and what is missing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from quantbus_contracts import Instrument, Strategy, Timeframe
from quantbus_contracts.schema import Gap
from quantbus_services.monitor.due import candle_due_at, streams_of
from quantbus_services.monitor.pages.site import Site

__all__ = ["StreamRow", "freshness_routes", "streams"]

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class StreamRow:
    """The bars of one symbol and timeframe."""

    symbol: str
    timeframe: str
    newest: datetime | None
    due_at: datetime
    late: bool
    needed_by: Sequence[str]
    """Strategies."""


async def streams(site: Site, now: datetime) -> list[StreamRow]:
    """Return every stream that a declared strategy needs, the late ones first."""
    strategies = await site.chain.strategies()
    needed_by = _needs(strategies)
    found = []
    for (symbol, timeframe), since in streams_of(strategies, await site.chain.declared_at()).items():
        newest = (await site.chain.last_candles(timeframe)).get(symbol)
        due_at = candle_due_at(timeframe, newest, site.limits.candle_grace, needed_since=since)
        names = needed_by[symbol, timeframe]
        found.append(StreamRow(symbol, timeframe.name, newest, due_at, due_at < now, names))
    return sorted(found, key=lambda row: (not row.late, row.symbol, row.timeframe))


def _needs(strategies: Sequence[Strategy]) -> Mapping[tuple[str, Timeframe], list[str]]:
    needed: defaultdict[tuple[str, Timeframe], list[str]] = defaultdict(list)
    for strategy in strategies:
        timeframe = Timeframe.parse(strategy.timeframe)
        for pair in strategy.pairs:
            needed[Instrument.from_pair(strategy.venue, pair).symbol, timeframe].append(strategy.strategy_id)
    return needed


def freshness_routes(site: Site) -> APIRouter:
    """Return the page's route."""
    router = APIRouter(include_in_schema=False)

    async def gather(now: datetime) -> dict[str, object]:
        rows = await streams(site, now)
        gaps: Sequence[Gap] = await site.reads.broken_gaps()
        return {
            "streams": rows[:_SHOWN],
            "all_streams": len(rows),
            "late": sum(row.late for row in rows),
            "gaps": sorted(gaps, key=lambda gap: gap.start, reverse=True)[:_SHOWN],
            "all_gaps": len(gaps),
        }

    @router.get("/data")
    async def data(request: Request) -> HTMLResponse:
        """Show how fresh the bars are."""
        return await site.show(request, "data.html.j2", gather)

    return router
