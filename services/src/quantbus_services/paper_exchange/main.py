"""Composition root of the paper exchange."""

import os
from collections.abc import Callable

import structlog

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.runtime.lifecycle import run_until_stopped
from quantbus_contracts.runtime.logging import configure
from quantbus_contracts.runtime.serving import listen, url_of
from quantbus_contracts.runtime.settings import HomeSettings, check_environment, load_settings
from quantbus_services.paper_exchange.assembly import build_app, build_venue
from quantbus_services.paper_exchange.server import ready_file, serve
from quantbus_services.paper_exchange.settings import PaperSettings
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["run"]

_log = structlog.get_logger(__name__)


def run(settings: PaperSettings, announce: Callable[[str, Venue], None]) -> int:
    """Serve until stopped; ``announce`` is told the address and the exchange once clients may connect."""
    check_environment()
    home = load_settings(HomeSettings)
    configure("paper-exchange", level=home.log_level, json=home.log_json)
    with ready_file(settings.ready_file) as write_ready_file, listen(settings.host, settings.port) as socket:
        url = url_of(socket)
        venue = build_venue(settings, SystemClock())
        app = build_app(venue, settings)

        def on_ready() -> None:
            _log.info("serving", url=url, data=venue.spot.data, origin=venue.spot.source.origin)
            announce(url, venue)
            write_ready_file(url=url, pid=os.getpid(), data=venue.spot.data)

        return run_until_stopped(lambda: serve(app, socket, on_ready))
