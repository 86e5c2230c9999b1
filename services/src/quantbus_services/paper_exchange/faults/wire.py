"""Faults around an exchange: an ASGI application that asks the real one, or does not, and answers as told."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quantbus_services.paper_exchange.faults.answers import ban_answer
from quantbus_services.paper_exchange.faults.control import PREFIX, ControlRoutes
from quantbus_services.paper_exchange.faults.desk import FaultDesk
from quantbus_services.paper_exchange.faults.exchange import Answered, Ask, Asked
from quantbus_services.paper_exchange.faults.spec import Behave, Occasion

__all__ = ["FaultLayer"]

_SAFE = ("/paper/", "/health")
"""What is about the paper exchange itself meets no faults."""

_MOST_BODY = 1 << 20
_FORM = "application/x-www-form-urlencoded"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: closing sends RST
_log = structlog.get_logger(__name__)


class FaultLayer:
    """The exchange with the faults that are switched on, and the routes that switch them."""

    def __init__(self, exchange: ASGIApp, desk: FaultDesk, marks: Mapping[str, str]) -> None:
        """Stand around ``exchange``; ``marks`` are headers of every answer that is not its own.

        Every answer is dated by the exchange's clock.
        """
        self._exchange = exchange
        self._desk = desk
        self._marks = tuple(marks.items())
        self._control = ControlRoutes(desk)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._exchange(scope, receive, send)
            return
        dated = _dating(send, self._desk.settle())
        if scope["path"].startswith(PREFIX):
            await self._control(scope, receive, dated)
        elif scope["path"].startswith(_SAFE):
            await self._exchange(scope, receive, dated)
        else:
            await self._answer(scope, receive, dated)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        now_ms = self._desk.now_ms()
        if self._desk.quiet.arrived(now_ms):
            await self._deliver(ban_answer(self._desk.quiet.banned_until_ms, now_ms), scope, receive, send)
            return
        if not self._desk.is_busy:
            await self._exchange(scope, receive, send)
            return
        body = await _body_of(receive)
        ask: Ask = partial(_ask, self._exchange, scope, body)
        for behave, occasion in reversed(self._desk.meets(_asked(scope, body))):
            ask = partial(self._inject, behave, occasion, ask)
        answer = await ask()
        await self._deliver(answer, scope, receive, send)
        if answer.quiet is not None:
            self._desk.quiet.begin(answer.quiet, self._desk.now_ms())

    async def _inject(self, behave: Behave, occasion: Occasion, ask: Ask) -> Answered:
        beneath: list[Answered] = []

        async def asked() -> Answered:
            beneath.append(await ask())
            return beneath[-1]

        answer = await behave(occasion, asked)
        if not beneath or answer is not beneath[-1]:
            self._desk.injected[occasion.rule.name] += 1
            _log.info("fault_injected", fault=occasion.rule.name, path=occasion.asked.path)
        return answer

    async def _deliver(self, answer: Answered, scope: Scope, receive: Receive, send: Send) -> None:
        if answer.delay_seconds and await _client_leaves(receive, answer.delay_seconds):
            return
        if answer.ending != "dropped":
            headers = dict(self._marks) | dict(answer.headers) | {"content-length": str(len(answer.body))}
            raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": answer.status, "headers": raw})
            if answer.ending == "whole":
                await send({"type": "http.response.body", "body": answer.body})
                return
            # Never the last byte, or the client would have it all before the connection ends.
            sent = min(int(len(answer.body) * answer.share), len(answer.body) - 1)
            await send({"type": "http.response.body", "body": answer.body[: max(0, sent)], "more_body": True})
        _end(scope, is_reset=answer.ending != "closed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while (await receive())["type"] != "http.disconnect":
                    pass


def _dating(send: Send, now: datetime) -> Send:
    """Date answers by the exchange's clock, which need not be the machine's."""

    async def dated(message: Message) -> None:
        if message["type"] == "http.response.start":
            date = (b"date", format_datetime(now.astimezone(UTC), usegmt=True).encode())
            message["headers"] = [*(item for item in message["headers"] if item[0] != b"date"), date]
        await send(message)

    return dated


def _asked(scope: Scope, body: bytes) -> Asked:
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    is_form = any(
        name == b"content-type" and value.startswith(_FORM.encode()) for name, value in scope["headers"]
    )
    if body and is_form:
        query |= dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
    return Asked(scope["method"], scope["path"], query)


async def _body_of(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body") or len(body) > _MOST_BODY:
            return body


async def _ask(exchange: ASGIApp, scope: Scope, body: bytes) -> Answered:
    """Put the request to the exchange itself; return its answer instead of sending it."""
    requests: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])
    start: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        return next(requests, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await exchange(scope, receive, send)
    headers = tuple((name.decode(), value.decode()) for name, value in start["headers"])
    return Answered(int(start["status"]), b"".join(parts), headers)


async def _client_leaves(receive: Receive, seconds: float) -> bool:
    """Wait; return early, with True, if the client goes away meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


def _end(scope: Scope, *, is_reset: bool) -> None:
    """End the connection under the answer; without a socket (in tests in memory) it stays unfinished."""
    transport = scope.get("state", {}).get("transport")
    if not isinstance(transport, asyncio.Transport):
        return
    if is_reset:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    else:
        transport.close()
