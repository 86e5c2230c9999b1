"""Those who are told: a messenger behind apprise, a mail server and Telegram, all on 127.0.0.1."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs

from tests.e2e.loopback import LoopbackServer


@dataclass(frozen=True)
class Told:
    """One message, and when it was there."""

    at: float
    title: str
    body: str

    @property
    def alert(self) -> str:
        """The name of the alert."""
        found = re.search(r"\[\w+\] (\w+)", self.title)
        return found.group(1) if found else ""

    @property
    def firing(self) -> bool:
        return not self.title.startswith("[RESOLVED]")


@dataclass
class Inbox:
    """What somebody was told, oldest first."""

    told: list[Told] = field(default_factory=list)

    def put(self, title: str, body: str) -> None:
        self.told.append(Told(time.time(), title, body))

    def first(self, alert: str, *, since: float = 0.0, firing: bool = True) -> Told | None:
        return next(
            (one for one in self.told if one.alert == alert and one.at >= since and one.firing == firing),
            None,
        )


class Messenger(LoopbackServer):
    """Takes what apprise's ``json://`` posts, and what Alertmanager posts to Telegram."""

    def __init__(self) -> None:
        self.inbox, self.telegram = Inbox(), Inbox()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.path.endswith("/sendMessage"):
                    form = self.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
                    text = parse_qs(raw)["text"][0] if form else json.loads(raw)["text"]
                    owner.telegram.put(text.splitlines()[0], text)
                    chat = {"id": 7, "type": "private"}
                    self._answer({"ok": True, "result": {"message_id": 1, "date": 0, "chat": chat}})
                    return
                body = json.loads(raw)
                owner.inbox.put(body["title"], body["message"])
                self._answer({})

            def _answer(self, content: object) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(Handler)

    @property
    def address(self) -> str:
        """As apprise writes it."""
        return self.url.replace("http://", "json://")


class MailServer:
    """Enough of SMTP for Alertmanager: no encryption, no password, every mail is taken."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.port = 0

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                mail = (await reader.readuntil(b"\r\n.\r\n")).decode()
                subject = re.search(r"^Subject: (.*)$", mail, re.MULTILINE)
                self.inbox.put(subject.group(1).strip() if subject else "", mail)
            writer.write(b"250 ok\r\n" if word != b"QUIT" else b"221 bye\r\n")
            await writer.drain()
            if word == b"QUIT":
                break
        writer.close()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    server, ready = MailServer(), threading.Event()
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        handles.append((asyncio.get_running_loop(), stop))
        await server.serve(ready, stop)

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert ready.wait(10), "the mail server did not start"
    try:
        yield server
    finally:
        loop, stop = handles[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
