"""``/candles``: bars with signals and fills, as a chart and as a table."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from quantbus_contracts import Candle, Instrument, Timeframe
from quantbus_contracts.mongo.glances import PairSpan
from quantbus_contracts.schema import Fill
from quantbus_services.monitor.pages.refusals import Refused
from quantbus_services.monitor.pages.seeing.outcomes import SignalRow, signal_rows
from quantbus_services.monitor.pages.site import Site

__all__ = ["candle_routes"]

_BARS = 300
_TABLE_BARS = 40
_MOST_MARKS = 500
_MOST_ROWS = 2_000
Name = Annotated[str, Query(max_length=100)]


@dataclass(frozen=True, slots=True)
class Series:
    """Bars that may be looked at: somebody declared a strategy on them."""

    symbol: str
    timeframe: Timeframe
    pair: str
    strategy_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """What there is to show of one series."""

    series: Series
    candles: Sequence[Candle]
    signals: Sequence[SignalRow]
    fills: Sequence[Fill]


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of the table."""

    candle: Candle
    signals: Sequence[SignalRow]
    fills: Sequence[Fill]


def candle_routes(site: Site) -> APIRouter:
    """Return the page's routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/candles")
    async def candles(request: Request, symbol: Name = "", timeframe: Name = "") -> HTMLResponse:
        """Show one series."""

        async def gather(now: datetime) -> dict[str, object]:
            choices = await _choices(site)
            chosen = _chosen(choices, symbol, timeframe)
            chart = await _chart(site, chosen, now) if chosen else None
            return {
                "choices": choices,
                "chosen": chosen,
                "bars": _bars(chart)[:_TABLE_BARS] if chart else [],
                "shown": _BARS,
            }

        return await site.show(request, "candles.html.j2", gather)

    @router.get("/candles.json")
    async def drawing(symbol: Name = "", timeframe: Name = "") -> Response:
        """Answer with what the chart draws."""

        async def gather() -> dict[str, object]:
            chosen = _chosen(await _choices(site), symbol, timeframe)
            return (
                _drawing(await _chart(site, chosen, site.now())) if chosen else {"candles": [], "marks": []}
            )

        return await site.draw(gather)

    return router


async def _choices(site: Site) -> list[Series]:
    found: defaultdict[tuple[str, Timeframe, str], list[str]] = defaultdict(list)
    for strategy in await site.chain.strategies():
        timeframe = Timeframe.parse(strategy.timeframe)
        for pair in strategy.pairs:
            symbol = Instrument.from_pair(strategy.venue, pair).symbol
            found[symbol, timeframe, pair].append(strategy.strategy_id)
    series = [Series(*names, tuple(strategies)) for names, strategies in found.items()]
    return sorted(series, key=lambda item: (item.symbol, item.timeframe.delta))


def _chosen(choices: Sequence[Series], symbol: str, timeframe: str) -> Series | None:
    if not symbol:
        return choices[0] if choices else None
    for series in choices:
        if series.symbol == symbol and timeframe in ("", series.timeframe.name):
            return series
    raise Refused(
        HTTPStatus.NOT_FOUND, "No declared strategy looks at these bars; choose among those that some do."
    )


async def _chart(site: Site, series: Series, now: datetime) -> Chart:
    delta = series.timeframe.delta
    candles = await site.reads.candles(series.symbol, series.timeframe, now - _BARS * delta, now, _BARS)
    start = candles[0].open_time if candles else now - _BARS * delta
    span = PairSpan(series.strategy_ids, series.pair, series.timeframe, start, now)
    signals = await site.reads.signals_of_pair(span, _MOST_MARKS)
    executions = await site.reads.ledger_of([signal.signal_id for signal in signals], _MOST_ROWS)
    return Chart(
        series,
        candles,
        signal_rows(signals, executions, unseen_since=now - site.limits.unseen_after),
        await site.reads.fills(start, now + delta, _MOST_MARKS, pair=series.pair),
    )


def _bars(chart: Chart) -> list[Bar]:
    """Return the bars, the newest first, each with the signals computed from it and the fills inside it."""
    signals: Mapping[datetime, list[SignalRow]] = defaultdict(list)
    fills: Mapping[datetime, list[Fill]] = defaultdict(list)
    for row in chart.signals:
        signals[row.published.signal.ts].append(row)
    for fill in chart.fills:
        fills[chart.series.timeframe.floor(fill.filled_at)].append(fill)
    return [
        Bar(candle, signals[candle.open_time], fills[candle.open_time]) for candle in reversed(chart.candles)
    ]


def _drawing(chart: Chart) -> dict[str, object]:
    newest = chart.candles[-1].open_time if chart.candles else None
    marks = [
        {
            "time": int(row.published.signal.ts.timestamp()),
            "kind": "signal",
            "buys": (row.published.signal.action or "") in ("enter_long", "exit_short"),
            "text": row.says,
            "href": f"/signals/{row.published.signal_id}",
        }
        for row in chart.signals
        if newest is not None and row.published.signal.ts <= newest
    ]
    marks += [
        {
            "time": int(min(chart.series.timeframe.floor(fill.filled_at), newest).timestamp()),
            "kind": "fill",
            "buys": fill.side == "buy",
            "text": f"{fill.side} {fill.amount:g}",
            "href": f"/signals/{fill.signal_id}" if fill.signal_id else "/positions",
        }
        for fill in chart.fills
        if newest is not None
    ]
    return {
        "candles": [
            {
                "time": int(candle.open_time.timestamp()),
                "open": candle.open,
                "high": candle.high,
                "low": candle.low,
                "close": candle.close,
                "volume": candle.volume,
            }
            for candle in chart.candles
        ],
        "marks": sorted(marks, key=lambda mark: str(mark["time"])),
    }
