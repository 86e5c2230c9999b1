"""A real browser before a real server, over a bus in memory; what it asks for and complains about is kept."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from quantbus_services.monitor.pages import page_routes
from tests.unit.services.monitor.pages.full_day import full_day
from tests.unit.services.monitor.pages.scene import Scene

_CHROMIUM = shutil.which("chromium")
_PATIENCE_MS = 30_000  # a busy machine is slow, not wrong
expect.set_options(timeout=_PATIENCE_MS)


def miss(what: str) -> NoReturn:
    """Skip the test; where every tool has to be there, fail it."""
    if os.environ.get("REQUIRE_TEST_TOOLS"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if _CHROMIUM is None:
        miss("needs a Chromium on PATH (Debian package chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Served:
    """A site at an address."""

    scene: Scene
    url: str
    server: uvicorn.Server
    thread: threading.Thread

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)
        assert not self.thread.is_alive()


def serve(scene: Scene) -> Served:
    app = FastAPI()
    app.include_router(page_routes(scene.site))
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    return Served(scene, f"http://127.0.0.1:{listening.getsockname()[1]}", server, thread)


@pytest.fixture
def served() -> Iterator[Served]:
    site = serve(full_day())
    yield site
    site.stop()


@dataclass
class Watched:
    """A tab, and everything in it that should not be."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path, wait_until="load")

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )


class Tabs:
    """Opens tabs on one site, each in a context of its own."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self._browser = browser
        self._served = served
        self._contexts: list[BrowserContext] = []

    def open(self, **options: Any) -> Watched:
        context = self._browser.new_context(**options)
        context.set_default_timeout(_PATIENCE_MS)
        self._contexts.append(context)
        watched = Watched(context.new_page(), self._served.url)

        def look(route: Route, request: Request) -> None:
            if request.url.startswith(self._served.url + "/"):
                route.continue_()
            else:
                watched.strangers.append(request.url)
                route.abort()

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                watched.complaints.append(message.text)

        context.route("**/*", look)
        watched.page.on("console", hear)
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        return watched

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def tabs(chromium: Browser, served: Served) -> Iterator[Tabs]:
    opened = Tabs(chromium, served)
    yield opened
    opened.close()
