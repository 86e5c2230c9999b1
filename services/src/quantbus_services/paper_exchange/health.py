"""What the exchange says about itself: what is served, where its clock stands, who listens."""

from datetime import UTC, datetime
from typing import Any

from quantbus_services.paper_exchange.counters import RequestCounters
from quantbus_services.paper_exchange.listings.listings import KINDS
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["clock_state", "health"]


def health(venue: Venue, counters: RequestCounters, now_ms: int) -> dict[str, Any]:
    """Return what is served and how long for; ``status`` is ``exhausted`` once any recording is over."""
    symbols = {}
    for market in map(venue.market, KINDS):
        for name, listing in market.listed(now_ms).items():
            end = market.ends_at(name, now_ms)
            symbols[listing.pair] = {
                "last_closed_bar": _moment(market.last_closed(name, now_ms).open_time),
                "data_ends": None if end is None else _moment(end),
                "is_over": market.is_over(name, now_ms),
            }
    source = venue.spot.source
    ends = [source.span(name).end_ms for name in source.listings]
    return {
        "status": "exhausted" if any(end is not None and now_ms >= end for end in ends) else "ok",
        "data": venue.spot.data,
        "origin": source.origin,
        "now": _moment(now_ms),
        "clock": clock_state(venue, now_ms),
        "shift_seconds": source.shift_ms // 1000,
        "timeframe": source.base.name,
        "symbols": symbols,
        "streams": {"clients": venue.hub.clients, "dropped": dict(venue.hub.dropped)},
        "requests": dict(counters.answered),
        "refused": dict(counters.refused),
    }


def clock_state(venue: Venue, now_ms: int) -> dict[str, Any]:
    """Return where the clock stands and how it got there."""
    clock = venue.clock
    return {
        "now": _moment(now_ms),
        "anchor": clock.anchor.astimezone(UTC).isoformat(),
        "start": clock.start.astimezone(UTC).isoformat(),
        "speed": clock.speed,
        "jumped_seconds": clock.jumped.total_seconds(),
    }


def _moment(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")
