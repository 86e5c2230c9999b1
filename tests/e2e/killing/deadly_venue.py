"""The way to the venue, on which a bot can be killed at an exact instant around a request."""

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Literal
from urllib.parse import urlsplit

from tests.e2e.loopback import LoopbackServer

Instant = Literal["never served", "served late", "served, never answered"]


@dataclass
class Trap:
    """Kills the bot at the first request of ``method`` to a path that ends so; then it is over."""

    method: str
    path: str
    instant: Instant
    kill: Callable[[], None]
    after: str | None = None
    """Armed only once a request of this method was served."""
    armed: bool = True
    has_killed: bool = False


class DeadlyVenue(LoopbackServer):
    """A reverse proxy on 127.0.0.1 that hands everything through, and springs traps."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target).netloc
        self.trap: Trap | None = None
        self.order_delay = 0.0
        """How long the venue takes to answer once it has an order."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                reply = proxy.serve(self.command, self.path, dict(self.headers), body)
                if reply is None:
                    self.close_connection = True
                    return
                status, answer = reply
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = _serve

            def handle(self) -> None:
                try:
                    super().handle()
                except (ConnectionError, TimeoutError):
                    return  # the bot died while it was answered

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        super().__init__(Handler)
        self._lock = threading.Lock()

    def serve(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, bytes] | None:
        """Serve one request; None where the bot died of it."""
        trap = self._sprung(method, path)
        if trap is None:
            reply = self._ask(method, path, headers, body)
            if method == "POST" and urlsplit(path).path.endswith("/order"):
                time.sleep(self.order_delay)
            self._arm(method)
            return reply
        if trap.instant == "served, never answered":
            self._ask(method, path, headers, body)
        trap.kill()
        trap.has_killed = True
        if trap.instant == "served late":
            time.sleep(1.0)
            self._ask(method, path, headers, body)
        return None

    def _sprung(self, method: str, path: str) -> Trap | None:
        with self._lock:
            trap = self.trap
            if trap is None or not trap.armed or trap.method != method:
                return None
            if not urlsplit(path).path.endswith(trap.path):
                return None
            self.trap = None
            return trap

    def _arm(self, method: str) -> None:
        with self._lock:
            if self.trap is not None and self.trap.after == method:
                self.trap.armed = True

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes]:
        passed = {
            name: value for name, value in headers.items() if name.lower() not in ("host", "accept-encoding")
        }
        connection = http.client.HTTPConnection(self._target, timeout=20)
        try:
            connection.request(method, path, body, passed)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()
