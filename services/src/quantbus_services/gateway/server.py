"""The HTTP server under the gateway: our own socket, our own end, no signal handlers."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from quantbus_contracts.errors import ConfigError

__all__ = ["announced", "listen", "serve_app", "url_of"]

_LAST_REQUESTS_SECONDS = 3


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises
    ------
    ConfigError
        If the address cannot be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise ConfigError(
            f"expected to listen on {host} port {port}, found: {error.strerror or error}; "
            "choose another with --host and --port"
        ) from None


def url_of(listening: socket.socket) -> str:
    """Return the address that clients use."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `run_until_stopped`."""
        yield


async def serve_app(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until cancelled; requests under way get a moment to finish."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # or anybody on this host could choose the address that failures are counted by
        timeout_keep_alive=10,
        h11_max_incomplete_event_size=16_384,
        timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


@contextlib.contextmanager
def announced(path: Path | None, url: str, ready: asyncio.Event) -> Iterator[None]:
    """Write ``url`` and our process id to ``path`` once ``ready`` is set; take the file away at the end."""

    async def announce(file: Path) -> None:
        await ready.wait()
        draft = file.with_suffix(file.suffix + ".draft")
        draft.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
        draft.replace(file)

    announcing = asyncio.create_task(announce(path)) if path else None
    try:
        yield
    finally:
        if announcing is not None and path is not None:
            announcing.cancel()
            path.unlink(missing_ok=True)
