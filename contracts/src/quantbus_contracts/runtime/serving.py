"""Serving HTTP on a socket of our own: a taken port is explained at once, cancellation is the only end.

Any ASGI application will do. Only `serve_app` needs uvicorn, which whoever has an application to serve brings along.
"""

import asyncio
import contextlib
import errno
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from quantbus_contracts.errors import ConfigError

__all__ = ["announced", "listen", "serve_app", "url_of"]

Application = Callable[..., Awaitable[None]]
_WAITING_CONNECTIONS = 512
_LONGEST_HEAD_BYTES = 16_384


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises
    ------
    ConfigError
        If the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay (40 ms an answer) off only where it is.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_WAITING_CONNECTIONS)
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        found = "another program listens there" if taken else str(error.strerror or error)
        raise ConfigError(
            f"expected to listen on {host}:{port}, found that {found}; choose another with --host and --port"
        ) from None
    listening.setblocking(False)
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the address that clients use."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def serve_app(
    app: Application, listening: socket.socket, *, last_requests_seconds: int, **options: object
) -> None:
    """Serve an ASGI application until cancelled; requests under way get that long to finish.

    ``options`` are uvicorn's, and go before those that are common to all.
    """
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave signals to `run_until_stopped`."""
            yield

    common: dict[str, Any] = {
        "log_config": None,
        "access_log": False,
        "lifespan": "off",
        "server_header": False,
        "proxy_headers": False,  # or anybody on this host could choose the address that failures are counted by
        "timeout_keep_alive": 10,
        "h11_max_incomplete_event_size": _LONGEST_HEAD_BYTES,
        "timeout_graceful_shutdown": last_requests_seconds,
    }
    server = Server(uvicorn.Config(app, **common | options))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


@contextlib.contextmanager
def announced(path: Path | None, url: str, ready: asyncio.Event) -> Iterator[None]:
    """Write ``url`` and our process id to ``path`` once ``ready`` is set; take the file away at the end.

    Raises
    ------
    ConfigError
        If there is no folder for it.
    """
    if path is None:
        yield
        return
    if not path.parent.is_dir():
        raise ConfigError(f"--ready-file: expected a path in a folder that exists, found {str(path)!r}")
    path.unlink(missing_ok=True)  # one that was killed left its own

    async def announce() -> None:
        await ready.wait()
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
        draft.replace(path)  # whoever waits for it reads it whole

    announcing = asyncio.create_task(announce())
    try:
        yield
    finally:
        announcing.cancel()
        path.unlink(missing_ok=True)
