"""Composition root of the paper exchange."""

import os
from collections.abc import Callable

import structlog

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.runtime.lifecycle import run_until_stopped
from quantbus_contracts.runtime.logging import configure
from quantbus_contracts.runtime.settings import HomeSettings, check_environment, load_settings
from quantbus_services.paper_exchange.app import create_app
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.server import listen, ready_file, serve, url_of
from quantbus_services.paper_exchange.settings import PaperSettings
from quantbus_services.paper_exchange.sources import open_source

__all__ = ["run"]

_log = structlog.get_logger(__name__)


def run(settings: PaperSettings, announce: Callable[[str, Market], None]) -> int:
    """Serve until stopped; ``announce`` is told the address and the market once clients may connect."""
    check_environment()
    home = load_settings(HomeSettings)
    configure("paper-exchange", level=home.log_level, json=home.log_json)
    clock = SystemClock()
    with ready_file(settings.ready_file) as write_ready_file, listen(settings.host, settings.port) as socket:
        url = url_of(socket)
        market = Market(open_source(settings, int(clock.now().timestamp() * 1000)))
        app = create_app(market, clock)

        def on_ready() -> None:
            _log.info("serving", url=url, data=market.kind, origin=market.source.origin)
            announce(url, market)
            write_ready_file(url=url, pid=os.getpid(), data=market.kind)

        return run_until_stopped(lambda: serve(app, socket, on_ready))
