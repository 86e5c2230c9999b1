"""A paper exchange inside this process: for tests and notebooks."""

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from quantbus_contracts.clock import Clock, SystemClock
from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.runtime.serving import listen, url_of
from quantbus_contracts.runtime.settings import load_settings
from quantbus_services.paper_exchange.app import create_app
from quantbus_services.paper_exchange.assembly import build_venue, open_rooms
from quantbus_services.paper_exchange.binance.urls import ccxt_config
from quantbus_services.paper_exchange.rooms import Room
from quantbus_services.paper_exchange.server import serve
from quantbus_services.paper_exchange.settings import PaperSettings
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["PaperExchange"]

_START_SECONDS = 30
_STOP_SECONDS = 10


class PaperExchange:
    """Serves on a free port of 127.0.0.1, in a thread of its own, as long as the ``with`` block runs.

    Takes the fields of `PaperSettings` by name: ``PaperExchange(symbols="BTC/USDT", seed=7, speed=60)``.
    """

    def __init__(self, *, clock: Clock | None = None, **settings: object) -> None:
        """Build the exchange; ``clock`` stands in for the wall clock.

        Raises
        ------
        ConfigError
            If settings or data do not fit.
        """
        self._settings = load_settings(PaperSettings, **({"port": 0} | settings))
        self.venue: Venue = build_venue(self._settings, clock or SystemClock())
        self._thread: threading.Thread | None = None
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._url = ""
        self._rooms: list[Room] = []

    @property
    def url(self) -> str:
        """Return the address that clients use."""
        return self._url

    def ccxt_config(self, **more: object) -> dict[str, Any]:
        """Return what ccxt's constructors take: ``ccxt.binance(paper.ccxt_config())``."""
        return ccxt_config(self._url) | more

    def __enter__(self) -> Self:
        """Start to serve; return once clients may connect."""
        socket = listen(self._settings.host, self._settings.port)
        self._url = url_of(socket)
        self._rooms = open_rooms(self.venue, self._settings)
        app = create_app(self.venue, rooms=self._rooms)

        async def run() -> None:
            self._task = asyncio.create_task(serve(app, socket, self._ready.set))
            await asyncio.wait([self._task])

        def main() -> None:
            with socket:
                self._loop.run_until_complete(run())

        self._thread = threading.Thread(target=main, name="paper-exchange", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            self._stop()
            raise QuantbusError(f"the paper exchange did not begin to serve within {_START_SECONDS} seconds")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and wait until it has stopped."""
        self._stop()

    def _stop(self) -> None:
        if self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)
        if not self._loop.is_running():
            self._loop.close()
        for room in self._rooms:
            room.close()
