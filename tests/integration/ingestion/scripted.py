"""An exchange that answers what it is told to, over real HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """One reply; ``cut`` sends half of the body and drops the connection, ``seconds`` is how long it takes."""

    body: str = "[]"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False


def json_answer(value: object) -> Answer:
    return Answer(json.dumps(value), headers={"Content-Type": "application/json"})


MARKET = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "isSpotTradingAllowed": True,
    "permissions": ["SPOT"],
    "orderTypes": ["LIMIT", "MARKET"],
    "filters": [],
}


@dataclass
class Scripted:
    """What each path answers; a list is answered one by one, its last entry for ever."""

    url: str
    answers: dict[str, list[Answer]] = field(
        default_factory=lambda: {"/api/v3/exchangeInfo": [json_answer({"symbols": [MARKET]})]}
    )
    requests: list[str] = field(default_factory=list)

    def next(self, path: str) -> Answer:
        self.requests.append(path)
        queue = self.answers.get(urlsplit(path).path, [Answer("no such path", 404)])
        return queue.pop(0) if len(queue) > 1 else queue[0]


@contextmanager
def scripted_exchange() -> Iterator[Scripted]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = script.next(self.path)
            time.sleep(answer.seconds)
            body = answer.body.encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if answer.cut else body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script = Scripted(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
