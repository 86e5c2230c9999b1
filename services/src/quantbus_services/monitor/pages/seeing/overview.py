"""``/``: is everything fine? In one look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from quantbus_contracts import Heartbeat
from quantbus_services.monitor.checks.orders.position_mismatch import NOBODY_READS
from quantbus_services.monitor.pages.seeing.findings import standing
from quantbus_services.monitor.pages.seeing.freshness import streams
from quantbus_services.monitor.pages.seeing.outcomes import signal_rows
from quantbus_services.monitor.pages.seeing.positions import comparing_checks
from quantbus_services.monitor.pages.site import Site
from quantbus_services.monitor.pages.verdict import Level
from quantbus_services.monitor.pages.words import count, span
from quantbus_services.monitor.status import Status

__all__ = ["overview_routes"]

_LATEST = 10
_MOST_ROWS = 200
_OFFSET_TO_LOOK_AT = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Tile:
    """One part of the chain, in a few words."""

    name: str
    level: Level
    told: str
    detail: str
    href: str


@dataclass(frozen=True, slots=True)
class Process:
    """One process and its last sign of life."""

    beat: Heartbeat
    silent: bool


def overview_routes(site: Site) -> APIRouter:
    """Return the page's route."""
    router = APIRouter(include_in_schema=False)

    async def gather(now: datetime) -> dict[str, object]:
        status = site.status()
        processes = await _processes(site, now)
        latest = await site.reads.latest_signals(_LATEST)
        rows = await site.reads.ledger_of([signal.signal_id for signal in latest], _MOST_ROWS)
        return {
            "findings": standing(status.findings, (await site.reads.findings(now)).findings),
            "unknown": [check for check in status.checks if check.outcome == "unknown"],
            "tiles": [
                await _data(site, now),
                _strategies(status),
                _bots(status, processes),
                await _positions(site),
                await _controls(site),
                _bus(status),
            ],
            "latest": signal_rows(latest, rows, unseen_since=now - site.limits.unseen_after),
            "processes": processes,
        }

    @router.get("/")
    async def overview(request: Request) -> HTMLResponse:
        """Show whether everything is fine."""
        return await site.show(request, "overview.html.j2", gather)

    return router


async def _processes(site: Site, now: datetime) -> list[Process]:
    return [
        Process(beat, now - beat.at > site.limits.heartbeat_lost_after)
        for beat in await site.chain.heartbeats()
        if now - beat.at <= site.limits.forget_process_after
    ]


async def _data(site: Site, now: datetime) -> Tile:
    rows = await streams(site, now)
    late = sum(row.late for row in rows)
    if not rows:
        return Tile("Data", "good", "no streams", "no declared strategy needs bars", "/data")
    told = f"{late} of {count(len(rows), 'stream')} late" if late else f"{count(len(rows), 'stream')} fresh"
    newest = max((row.newest for row in rows if row.newest is not None), default=None)
    detail = f"newest bar opened {newest:%H:%M:%S}" if newest else "no bar yet"
    return Tile("Data", "bad" if late else "good", told, detail, "/data")


def _strategies(status: Status) -> Tile:
    silent = sum(row.silent for row in status.strategies)
    recent = sum(row.recent_signals for row in status.strategies)
    total = len(status.strategies)
    detail = f"{count(recent, 'signal')} lately"
    if not total:
        return Tile("Strategies", "good", "none declared", "publishing declares one", "/strategies")
    if silent:
        return Tile("Strategies", "bad", f"{silent} of {total} silent", detail, "/strategies")
    told = "1 on time" if total == 1 else f"all {total} on time"
    return Tile("Strategies", "good", told, detail, "/strategies")


def _bots(status: Status, processes: Sequence[Process]) -> Tile:
    bots = [process for process in processes if process.beat.process == "executor"]
    silent = sum(process.silent for process in bots)
    worst = max((row.worst_consume_delay_seconds for row in status.consumers), default=None)
    detail = f"signals seen within {span(worst)}" if worst is not None else "no signal was seen lately"
    if not bots:
        return Tile("Bots", "look", "none", "no bot has given a sign of life", "/positions")
    if silent:
        return Tile("Bots", "bad", f"{silent} of {len(bots)} silent", detail, "/positions")
    return Tile("Bots", "good", f"{count(len(bots), 'bot')} alive", detail, "/positions")


async def _positions(site: Site) -> Tile:
    held = [holding for holding in await site.reads.holdings() if holding.side != "flat"]
    status = site.status()
    names = comparing_checks(status)
    compared = [check for check in status.checks if check.name in names]
    troubled = [check for check in compared if check.outcome != "fine"]
    told = count(len(held), "position") + " open"
    if not compared:
        return Tile("Positions", "look", told, "not compared: no bot's address is set", "/positions")
    if troubled:
        found = any(check.outcome == "found" for check in troubled)
        detail = "sides disagree" if found else "whether the sides agree is not known"
        return Tile("Positions", "bad" if found else "look", told, detail, "/positions")
    if any(NOBODY_READS in (check.note or "") for check in compared):
        return Tile(
            "Positions", "look", told, "signals and bot agree; nobody reads the account", "/positions"
        )
    return Tile("Positions", "good", told, "the sides agree", "/positions")


async def _controls(site: Site) -> Tile:
    snapshot = await site.reads.controls()
    active = [control for control in snapshot.controls if control.is_active(snapshot.now)]
    if not active:
        return Tile("Controls", "good", "none in force", "bots trade freely", "/controls")
    strictest = max(active, key=lambda control: control.kind.rank)
    return Tile(
        "Controls",
        "look",
        f"{len(active)} in force",
        f"{strictest.kind.value} {strictest.scope}",
        "/controls",
    )


def _bus(status: Status) -> Tile:
    offset = status.clock_offset_seconds or 0.0
    level: Level = "look" if abs(offset) > _OFFSET_TO_LOOK_AT else "good"
    return Tile("Bus", level, "answers", f"clocks {span(abs(offset))} apart", "/findings")
