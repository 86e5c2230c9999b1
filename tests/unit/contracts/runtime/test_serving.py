"""Serving HTTP: addresses, taken ports, the file that tells where, the end, and no delay between answers."""

import asyncio
import http.client
import json
import os
import socket
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.serving import announced, listen, serve_app, url_of

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def hello(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


def ask(port: int, path: str, times: int = 1) -> list[float]:
    """Ask over one connection; return the seconds of each answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    seconds = []
    for _ in range(times):
        begun = time.monotonic()
        client.request("GET", path)
        assert client.getresponse().read() == b"hi"
        seconds.append(time.monotonic() - begun)
    client.close()
    return seconds


async def while_served(work: Callable[[int], Awaitable[None]]) -> None:
    with listen("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(serve_app(hello, listening, last_requests_seconds=2))
        try:
            await work(listening.getsockname()[1])
        finally:
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving


async def test_answers_over_one_connection_follow_without_a_delay() -> None:
    async def measure(port: int) -> None:
        seconds = await asyncio.to_thread(ask, port, "/", 30)
        assert statistics.median(seconds) < 0.02, "Nagle's algorithm costs 40 ms an answer"

    await while_served(measure)


async def test_a_request_under_way_is_answered_before_the_end() -> None:
    asked: list[asyncio.Task[list[float]]] = []

    async def begin(port: int) -> None:
        asked.append(asyncio.create_task(asyncio.to_thread(ask, port, "/slow")))
        await asyncio.sleep(0.15)

    await while_served(begin)
    assert len(await asked[0]) == 1


def test_a_taken_port_is_explained() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"127.0.0.1:{port}, found that another program listens there; choose"
        ):
            listen("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"expected to listen on 192\.0\.2\.1:0"):
        listen("192.0.2.1", 0)


def test_the_url_is_what_clients_use() -> None:
    with listen("127.0.0.1", 0) as listening:
        assert url_of(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_address_of_ipv6_is_bracketed() -> None:
    try:
        listening = listen("::1", 0)
    except ConfigError:
        pytest.skip("no IPv6 loopback here")
    with listening:
        assert url_of(listening).startswith("http://[::1]:")


async def test_the_file_is_there_from_readiness_to_the_end_only(tmp_path: Path) -> None:
    path, ready = tmp_path / "ready.json", asyncio.Event()
    path.write_text("of one that was killed")
    with announced(path, "http://127.0.0.1:1", ready):
        assert not path.exists()
        ready.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert json.loads(path.read_text()) == {"url": "http://127.0.0.1:1", "pid": os.getpid()}
    assert not path.exists()


async def test_a_file_without_a_folder_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="--ready-file: expected a path in a folder that exists"),
        announced(tmp_path / "none" / "ready.json", "http://127.0.0.1:1", asyncio.Event()),
    ):
        pass
