"""Serving the exchange: what its streams and faults need of the server, and the file that tells where it is."""

import contextlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from fastapi import FastAPI

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.serving import serve_app
from quantbus_services.paper_exchange.sockets import TellingProtocol

__all__ = ["ready_file", "serve"]

_GRACE_SECONDS = 1
_PING_SECONDS = 20  # Binance's own; a client that does not answer within as long again is gone
_MOST_FRAME_BYTES = 65_536
_LONGEST_HEAD_BYTES = 65_536  # a list of a thousand symbols is part of an address


async def serve(app: FastAPI, listening: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until cancelled, then let open requests finish for a moment; clients may connect at once."""
    on_ready()
    await serve_app(
        app,
        listening,
        last_requests_seconds=_GRACE_SECONDS,
        date_header=False,  # a date is the exchange's, whose clock need not be the machine's
        http=TellingProtocol,
        h11_max_incomplete_event_size=_LONGEST_HEAD_BYTES,
        ws_max_size=_MOST_FRAME_BYTES,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
    )


@contextlib.contextmanager
def ready_file(path: Path | None) -> Iterator[Callable[..., None]]:
    """Give a function that writes its keyword arguments as JSON to ``path``.

    The file is there only while the server serves: one that a killed server left is removed at once.

    Raises
    ------
    ConfigError
        If there can be no file at ``path``.
    """

    def write(**facts: object) -> None:
        if path is None:
            return
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(facts), encoding="utf-8")
        unfinished.replace(path)

    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"--ready-file: expected a path that can be written, found {str(path)!r} ({error.strerror})"
            ) from None
    try:
        yield write
    finally:
        if path is not None:
            path.unlink(missing_ok=True)
