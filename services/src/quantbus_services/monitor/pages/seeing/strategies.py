"""``/strategies`` and ``/strategies/{id}``: does each speak as it promised, how fast, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse

from quantbus_contracts import PublishRun, Strategy, Timeframe
from quantbus_contracts.schema import Declaration
from quantbus_services.monitor.due import allowed_delay
from quantbus_services.monitor.pages.refusals import Refused
from quantbus_services.monitor.pages.seeing.outcomes import SignalRow, signal_rows
from quantbus_services.monitor.pages.site import Site
from quantbus_services.monitor.status import StrategyStatus

__all__ = ["strategy_routes"]

_SIGNALS = 60
_DELAYS = 300
_RUNS_SHOWN = 20
_RUNS_BACK = 40  # evaluations
_ROWS_EACH = 20
StrategyId = Annotated[str, Path(max_length=64)]


@dataclass(frozen=True, slots=True)
class StrategyRow:
    """What a strategy promised, and how it keeps it."""

    status: StrategyStatus
    declared: Strategy | None

    @property
    def allowed(self) -> timedelta:
        """How late after a bar's close it may speak."""
        return allowed_delay(self.status.timeframe, self.declared)

    @property
    def late(self) -> bool:
        """Whether its worst recent signal came later."""
        worst = self.status.worst_publish_delay_seconds
        return worst is not None and worst > self.allowed.total_seconds()


def strategy_routes(site: Site) -> APIRouter:
    """Return the pages' routes."""
    router = APIRouter(include_in_schema=False)

    async def gather(now: datetime) -> dict[str, object]:
        return {"rows": await _rows(site)}

    @router.get("/strategies")
    async def strategies(request: Request) -> HTMLResponse:
        """Show every declared strategy."""
        return await site.show(request, "strategies.html.j2", gather)

    @router.get("/strategies/{strategy_id}")
    async def strategy(request: Request, strategy_id: StrategyId) -> HTMLResponse:
        """Show one strategy."""

        async def gather_one(now: datetime) -> dict[str, object]:
            return await _one(site, strategy_id, now)

        return await site.show(request, "strategy.html.j2", gather_one)

    @router.get("/strategies/{strategy_id}/delays.json")
    async def delays(strategy_id: StrategyId) -> Response:
        """Answer with the delays of its last signals, for the chart."""

        async def gather_delays() -> dict[str, object]:
            strategy = (await _declared(site, strategy_id)).strategy
            rows = await _signals(site, strategy, site.now(), _DELAYS)
            return _columns(rows, allowed_delay(strategy.timeframe, strategy))

        return await site.draw(gather_delays)

    return router


async def _rows(site: Site) -> list[StrategyRow]:
    declared = {strategy.strategy_id: strategy for strategy in await site.chain.strategies()}
    rows = [StrategyRow(status, declared.get(status.strategy_id)) for status in site.status().strategies]
    return sorted(rows, key=lambda row: (not row.status.silent, not row.late, row.status.strategy_id))


async def _declared(site: Site, strategy_id: str) -> Declaration:
    declaration = await site.reads.declaration(strategy_id)
    if declaration is None:
        raise Refused(HTTPStatus.NOT_FOUND, "No strategy of this name is declared.")
    return declaration


async def _signals(site: Site, strategy: Strategy, now: datetime, limit: int) -> list[SignalRow]:
    signals = await site.reads.signals_of(strategy, limit)
    ids = [signal.signal_id for signal in signals]
    executions = await site.reads.ledger_of(ids, limit * _ROWS_EACH)
    return signal_rows(signals, executions, unseen_since=now - site.limits.unseen_after)


async def _one(site: Site, strategy_id: str, now: datetime) -> dict[str, object]:
    declaration = await _declared(site, strategy_id)
    strategy = declaration.strategy
    controls, risks = await site.reads.controls(), await site.reads.risks()
    status = next((row.status for row in await _rows(site) if row.status.strategy_id == strategy_id), None)
    return {
        "declaration": declaration,
        "strategy": strategy,
        "status": status,
        "allowed": allowed_delay(strategy.timeframe, strategy),
        "findings": [
            finding
            for finding in site.status().findings
            if strategy_id in (finding.subject, finding.strategy_id)
        ],
        "controls": [
            control
            for control in controls.controls
            if control.is_active(controls.now)
            and any(
                control.concerns(strategy_id=strategy_id, pair=pair, consumer_id=None)
                for pair in strategy.pairs
            )
        ],
        "risks": [
            state for state in risks.states if state.strategy_id == strategy_id and state.is_active(risks.now)
        ],
        "runs": await _runs(site, strategy, now),
        "signals": await _signals(site, strategy, now, _SIGNALS),
    }


async def _runs(site: Site, strategy: Strategy, now: datetime) -> Sequence[tuple[PublishRun, timedelta]]:
    """Return the last evaluations, the newest first, each with how long after its bar's close it was."""
    timeframe = Timeframe.parse(strategy.timeframe)
    back = _RUNS_BACK * (strategy.cadence_bars or 1) * timeframe.delta
    runs = await site.reads.runs(strategy, now - back, now)
    return [(run, run.evaluated_at - timeframe.close_of(run.ts)) for run in list(runs)[::-1][:_RUNS_SHOWN]]


def _columns(rows: Sequence[SignalRow], allowed: timedelta) -> dict[str, object]:
    """Return the chart's columns, the oldest first; the worst of a bar stands for it."""
    worst: dict[datetime, tuple[float, float | None]] = {}
    for row in rows:
        ts = row.published.signal.ts
        publish, consume = worst.get(ts, (0.0, None))
        seen = row.consume_delay.total_seconds() if row.consume_delay is not None else None
        known = [delay for delay in (consume, seen) if delay is not None]
        worst[ts] = (max(publish, row.publish_delay.total_seconds()), max(known, default=None))
    bars = sorted(worst)
    return {
        "times": [bar.timestamp() for bar in bars],
        "publish": [worst[bar][0] for bar in bars],
        "consume": [worst[bar][1] for bar in bars],
        "allowed": allowed.total_seconds(),
    }
