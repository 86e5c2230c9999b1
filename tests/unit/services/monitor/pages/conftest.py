from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from quantbus_services.monitor.pages import page_routes
from tests.unit.services.monitor.pages.full_day import full_day
from tests.unit.services.monitor.pages.scene import Scene


class Browser:
    """A site with somebody in front of it."""

    def __init__(self, scene: Scene) -> None:
        app = FastAPI()
        app.include_router(page_routes(scene.site))
        self.scene = scene
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://monitor")

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def text(self, path: str, *, code: int = 200) -> str:
        answer = await self.http.get(path)
        assert answer.status_code == code, answer.text
        return answer.text

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, data=fields, headers=sent)

    async def sign_in(self, **key: object) -> str:
        """Sign in with a good key; return the token of the session's forms."""
        answer = await self.post("/session", {"key": self.scene.memory.give_key(**key)})  # type: ignore[arg-type]
        assert answer.status_code == 303, answer.text
        page = await self.text("/controls")
        return page.split('name="token" value="', 1)[1].split('"', 1)[0]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    made = Browser(Scene())
    yield made
    await made.http.aclose()


@pytest.fixture
async def busy() -> AsyncIterator[Browser]:
    """The same after a day in which much happened, some of it bad."""
    made = Browser(full_day())
    yield made
    await made.http.aclose()
