"""Control routes: what happens to the market list, and where the clock stands. Not part of any venue's API.

They answer to programs on this machine only.
"""

import json
from collections.abc import Mapping

from starlette.requests import Request

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.health import clock_state
from quantbus_services.paper_exchange.listings.events import MarketEvent
from quantbus_services.paper_exchange.local_only import check_local
from quantbus_services.paper_exchange.rooms import Handler
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["routes"]

_BAD_REQUEST = -1130


def routes(venue: Venue) -> Mapping[tuple[str, str], Handler]:
    """Return the control routes of an exchange."""

    async def events(request: Request, now_ms: int) -> object:
        return [event.as_row() for event in venue.events.all()]

    async def add_event(request: Request, now_ms: int) -> object:
        try:
            row = json.loads(await request.body())
        except ValueError:
            raise Refusal(_BAD_REQUEST, "expected a market event as a JSON object") from None
        try:
            event = MarketEvent.parse(row, now_ms=now_ms)
            venue.add_event(event)
        except ConfigError as error:
            raise Refusal(_BAD_REQUEST, str(error)) from None
        return event.as_row()

    async def clock(request: Request, now_ms: int) -> object:
        return clock_state(venue, now_ms)

    return {
        ("GET", "/paper/events"): _guarded(events),
        ("POST", "/paper/events"): _guarded(add_event),
        ("GET", "/paper/clock"): _guarded(clock),
    }


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request, now_ms: int) -> object:
        check_local(request)
        return await handler(request, now_ms)

    return guarded
