"""An HTTP server on a socket of our own, stopped by cancellation like everything else here."""

import asyncio
import contextlib
import errno
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from quantbus_contracts.errors import ConfigError

__all__ = ["address_of", "bind", "ready_file", "serve_app"]

_LAST_REQUESTS_SECONDS = 1


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one.

    Raises
    ------
    ConfigError
        If the address cannot be had.
    """
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        found = "another program listens there" if taken else str(error.strerror or error)
        raise ConfigError(
            f"expected to listen on {host}:{port}, found that {found}; choose another with --port"
        ) from None


def address_of(bound: socket.socket) -> str:
    """Return the address that clients use."""
    host, port = bound.getsockname()[:2]
    return f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Leaves signals to `run_until_stopped`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_app(app: FastAPI, bound: socket.socket) -> None:
    """Serve on ``bound`` until cancelled; requests under way get a moment to finish."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=_LAST_REQUESTS_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


@contextlib.contextmanager
def ready_file(path: Path | None, content: dict[str, object], ready: asyncio.Event) -> Iterator[None]:
    """Write ``content`` to ``path`` as JSON once ``ready`` is set; remove it at the end.

    Raises
    ------
    ConfigError
        If there is no folder for it.
    """
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"--ready-file: expected a path in a folder that exists, found {str(path)!r}")

    async def write() -> None:
        await ready.wait()
        if path is not None:
            fresh = path.with_name(f"{path.name}.new")
            fresh.write_text(json.dumps(content) + "\n", encoding="utf-8")
            fresh.replace(path)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        if path is not None:
            path.unlink(missing_ok=True)
