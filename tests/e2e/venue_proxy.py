"""An exchange whose order book can be emptied, or shifted in price, for single pairs.

It stands between the bot and the paper exchange and hands everything else through.
"""

import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.e2e.loopback import LoopbackServer

_EMPTY_BOOK = json.dumps({"lastUpdateId": 1, "bids": [], "asks": []}).encode()

_STALE_BARS = 30


def _shifted(book: bytes, factor: float) -> bytes:
    parsed = json.loads(book)
    for side in ("bids", "asks"):
        parsed[side] = [[f"{float(price) * factor:.8f}", amount] for price, amount in parsed[side]]
    return json.dumps(parsed).encode()


class VenueProxy(LoopbackServer):
    """A reverse proxy on 127.0.0.1."""

    def __init__(self, target: str) -> None:
        self.without_book: set[str] = set()
        self.times_price: dict[str, float] = {}
        """By name of a market: what its order book's prices are multiplied by."""
        self.stale: set[str] = set()
        """Markets whose candles ended half an hour ago."""
        self.methods: set[str] = set()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.methods.add("GET")
                where = urlsplit(self.path)
                name = parse_qs(where.query).get("symbol", [""])[0]
                if where.path.endswith("/depth") and name in proxy.without_book:
                    self._answer(200, _EMPTY_BOOK)
                    return
                try:
                    with urllib.request.urlopen(target + self.path, timeout=10) as reply:  # noqa: S310
                        body = reply.read()
                        if where.path.endswith("/depth") and name in proxy.times_price:
                            body = _shifted(body, proxy.times_price[name])
                        if where.path.endswith("/klines") and name in proxy.stale:
                            body = json.dumps(json.loads(body)[:-_STALE_BARS]).encode()
                        self._answer(reply.status, body)
                except urllib.error.HTTPError as error:
                    self._answer(error.code, error.read())

            def do_POST(self) -> None:
                proxy.methods.add("POST")
                self._answer(405, b"{}")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        super().__init__(Handler)
