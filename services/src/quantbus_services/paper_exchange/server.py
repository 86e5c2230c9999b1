"""Serving on a socket of our own: a free port is known at once, and a used one is explained."""

import asyncio
import contextlib
import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.sockets import TellingProtocol

__all__ = ["listen", "ready_file", "serve", "url_of"]

_GRACE_SECONDS = 1
_PING_SECONDS = 20  # Binance's own; a client that does not answer within as long again is gone
_MOST_FRAME_BYTES = 65_536


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises
    ------
    ConfigError
        If the port is in use or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay (40 ms an answer) off only where it is.
    server = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((host, port))
        server.listen(128)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} on {host} is in use by another program; stop it, choose another --port, "
                "or take a free one with --port 0"
            ) from None
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another --port"
        ) from None
    server.setblocking(False)
    return server


def url_of(server: socket.socket) -> str:
    """Return the address that clients use."""
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Tells when it serves, and leaves signals to the process that runs it."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


async def serve(app: FastAPI, server: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until cancelled, then let open requests finish for a moment."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,  # a date is the exchange's, whose clock need not be the machine's
        http=TellingProtocol,
        ws_max_size=_MOST_FRAME_BYTES,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    running = _Server(config, on_ready)
    task = asyncio.create_task(running.serve(sockets=[server]))
    try:
        await asyncio.shield(task)
    finally:
        running.should_exit = True
        await task


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
