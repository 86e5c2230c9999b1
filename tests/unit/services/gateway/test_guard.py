"""The guard around every request."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from quantbus_services.gateway.guard import Guard
from quantbus_services.gateway.metrics import GatewayMetrics


class Rig:
    """An application that waits until it is told to go on."""

    def __init__(self, *, in_flight: int = 2, request_seconds: float = 5) -> None:
        self.go_on = asyncio.Event()
        self.registry = CollectorRegistry()

        async def wait(request: Request) -> PlainTextResponse:
            await request.body()
            await self.go_on.wait()
            return PlainTextResponse("done")

        async def probe(_: Request) -> PlainTextResponse:
            return PlainTextResponse("alive")

        app = Guard(
            Starlette(routes=[Route("/wait", wait, methods=["GET", "POST"]), Route("/healthz", probe)]),
            metrics=GatewayMetrics(self.registry),
            monotonic=lambda: 0.0,
            in_flight=in_flight,
            request_seconds=request_seconds,
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


async def test_more_than_it_can_work_on_is_asked_to_come_back_but_probes_are_answered() -> None:
    rig = Rig(in_flight=2)
    waiting = [asyncio.create_task(rig.http.get("/wait")) for _ in range(2)]
    await asyncio.sleep(0.05)
    refused = await rig.http.get("/wait")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "busy")
    assert refused.headers["Retry-After"] == "1"
    assert (await rig.http.get("/healthz")).status_code == 200
    rig.go_on.set()
    assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [200, 200]
    assert (await rig.http.get("/wait")).status_code == 200
    assert rig.registry.get_sample_value("quantbus_gateway_in_flight") == 0


async def test_a_request_that_takes_too_long_is_ended() -> None:
    rig = Rig(request_seconds=0.05)
    answer = await rig.http.get("/wait")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")


async def test_a_body_that_trickles_is_ended() -> None:
    rig = Rig(request_seconds=0.05)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    answer = await rig.http.post("/wait", content=trickle())
    assert (answer.status_code, answer.json()["error"]["code"]) == (408, "timed_out")
    assert answer.headers["Connection"] == "close"
