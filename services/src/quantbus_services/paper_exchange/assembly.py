"""Putting an exchange together from its settings: clock, sources, markets, events, rooms."""

import json
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.accounts.room import AccountsRoom
from quantbus_services.paper_exchange.app import create_app
from quantbus_services.paper_exchange.faults.room import FaultRoom
from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.listings.events import MarketEvent, MarketEvents
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.rooms import Room
from quantbus_services.paper_exchange.settings import PaperSettings
from quantbus_services.paper_exchange.sources import open_sources
from quantbus_services.paper_exchange.time_line import VenueClock
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["build_app", "build_venue", "open_rooms"]


def build_venue(settings: PaperSettings, wall: Clock) -> Venue:
    """Return the exchange that ``settings`` describe.

    Raises
    ------
    ConfigError
        If data or settings do not fit.
    """
    anchor = _anchor(settings, wall)
    clock = VenueClock(wall, anchor=anchor, start=settings.start, speed=settings.speed)
    start_ms = int(clock.start.timestamp() * 1000)
    spot, perpetuals = open_sources(settings, start_ms)
    events = MarketEvents()
    venue = Venue(
        clock,
        spot=Market(spot, events=events),
        futures=PerpetualMarket(perpetuals, events=events),
        events=events,
    )
    for event in _declared(settings.events, start_ms):
        if event.kind == "list":
            venue.admit(event)
            events.add(event)
        else:
            venue.add_event(event)
    return venue


def open_rooms(venue: Venue, settings: PaperSettings) -> list[Room]:
    """Return the rooms of an exchange; the last one's wrapping is outermost."""
    faults = FaultRoom(venue, settings.faults)
    rooms: list[Room] = []
    if settings.accounts or settings.account_file or settings.state:
        accounts = AccountsRoom(
            venue, account_file=settings.account_file, state=settings.state, faults=faults.order_faults
        )
        rooms.append(accounts)
    return [*rooms, faults]


def build_app(venue: Venue, settings: PaperSettings) -> FastAPI:
    """Return the exchange as an ASGI application with all its rooms."""
    return create_app(venue, rooms=open_rooms(venue, settings))


def _anchor(settings: PaperSettings, wall: Clock) -> datetime | None:
    """Return when the exchange's time began: as told, as a former start wrote it down, or (None) now."""
    path = settings.anchor_file
    if settings.anchor is not None or path is None:
        return settings.anchor
    if path.exists():
        return _read_anchor(path)
    anchor = wall.now().astimezone(UTC)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(anchor.isoformat() + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--anchor-file: expected a path that can be written, found {str(path)!r} ({error.strerror})"
        ) from None
    return anchor


def _read_anchor(path: Path) -> datetime:
    text = path.read_text(encoding="utf-8").strip()
    try:
        anchor = datetime.fromisoformat(text)
    except ValueError:
        anchor = None
    if anchor is None or anchor.tzinfo is None:
        raise ConfigError(
            f"expected a moment such as 2026-01-05T12:00:00+00:00 in {str(path)!r}, found {text[:40]!r}; "
            "remove the file to begin anew"
        )
    return anchor


def _declared(path: Path | None, start_ms: int) -> list[MarketEvent]:
    if path is None:
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected a JSON list of market events in {str(path)!r}, found: {error}") from None
    if not isinstance(rows, list):
        raise ConfigError(
            f"expected a JSON list of market events in {str(path)!r}, found {type(rows).__name__}"
        )
    events = [MarketEvent.parse(row, now_ms=start_ms) for row in rows]
    return sorted(events, key=lambda event: event.at_ms)
