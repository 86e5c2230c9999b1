"""Hears every answer that ccxt gets, and which request it belongs to.

ccxt keeps the newest answer of an exchange only, which is another task's as soon as several ask at once.
"""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import ccxt.async_support as ccxt

from quantbus_services.ingestion.venue.gate import Gate
from quantbus_services.ingestion.venue.pauses import asked_pause

__all__ = ["Heard", "hearing", "listen", "says_something"]


@dataclass(slots=True)
class Heard:
    """The newest answer to the requests of one call; status 0 before there is any."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


def says_something(text: str) -> bool:
    """Tell whether a body is JSON with content.

    ccxt finds no candles in a page of HTML, in half an answer and in an empty one, as if the venue had none.
    """
    try:
        return json.loads(text) not in (None, {}, "")
    except ValueError:
        return False


_current: ContextVar[Heard | None] = ContextVar("heard", default=None)


@contextmanager
def hearing() -> Generator[Heard]:
    """Hear the answers to whatever is asked inside, also by tasks that are started there."""
    heard = Heard()
    token = _current.set(heard)
    try:
        yield heard
    finally:
        _current.reset(token)


def listen(exchange: Any, gate: Gate) -> None:  # noqa: ANN401  # ccxt is untyped
    """Let every request of a ccxt exchange pass ``gate``, and every answer be heard."""
    send, read = exchange.fetch, exchange.on_rest_response

    def on_rest_response(code: int, reason: str, url: str, method: str, *rest: Any) -> Any:  # noqa: ANN401
        heard = _current.get()
        if heard is not None:
            heard.status, heard.headers, heard.text = code, rest[0], str(rest[1])
        return read(code, reason, url, method, *rest)

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:  # noqa: ANN401
        async with gate.passage():
            with _own_answer() as heard:
                try:
                    return await send(url, method, headers, body)
                except ccxt.BaseError as error:
                    is_limit = isinstance(error, ccxt.DDoSProtection | ccxt.RateLimitExceeded)
                    pause = asked_pause(heard.status, heard.headers, heard.text, is_limit=is_limit)
                    if pause is not None:
                        gate.close(pause)
                    raise

    exchange.on_rest_response = on_rest_response
    exchange.fetch = fetch


@contextmanager
def _own_answer() -> Generator[Heard]:
    """Hear one request by itself, and tell the call around it afterwards."""
    around = _current.get()
    with hearing() as heard:
        try:
            yield heard
        finally:
            if around is not None and heard.status:
                around.status, around.headers, around.text = heard.status, heard.headers, heard.text
