"""The layer in memory: what goes through it unchanged, and who may switch faults."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.faults.desk import FaultDesk
from quantbus_services.paper_exchange.faults.wire import FaultLayer
from quantbus_services.paper_exchange.time_line import VenueClock

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
MINUTE_MS = 60_000


def bar(minutes_ago: int) -> list[Any]:
    opened = NOON_MS - minutes_ago * MINUTE_MS
    return [opened, "100.0", "103.0", "99.0", "102.0", "5.0", opened + 59_999, "500.0", 1, "0", "0", "0"]


async def klines(_: Request) -> JSONResponse:
    return JSONResponse([bar(number) for number in range(10, 0, -1)])


async def order(request: Request) -> JSONResponse:
    form = (await request.body()).decode()
    return JSONResponse({"asked": str(request.url.query), "form": form})


EXCHANGE = Starlette(
    routes=[
        Route("/api/v3/klines", klines),
        Route("/api/v3/order", order, methods=["POST"]),
        Route("/health", klines),
    ]
)


@pytest.fixture
def desk() -> FaultDesk:
    return FaultDesk(VenueClock(FrozenClock(NOON)))


@pytest.fixture
async def client(desk: FaultDesk) -> AsyncIterator[httpx.AsyncClient]:
    layer = FaultLayer(EXCHANGE, desk, {"X-Quantbus-Data": "SYNTHETIC"})
    transport = httpx.ASGITransport(layer)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened


async def rows(client: httpx.AsyncClient) -> list[Any]:
    asked = {"symbol": "BTCUSDT", "interval": "1m"}
    return list(json.loads((await client.get("/api/v3/klines", params=asked)).text))


async def test_without_a_fault_nothing_is_changed_but_the_date(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v3/klines")

    assert answer.json() == [bar(number) for number in range(10, 0, -1)]
    assert answer.headers["date"] == "Mon, 05 Jan 2026 12:00:00 GMT"


async def test_a_fault_that_takes_nothing_lets_form_and_address_through(
    client: httpx.AsyncClient, desk: FaultDesk
) -> None:
    desk.set("unavailable", {"symbol": "ETHUSDT"})

    answer = await client.post("/api/v3/order?a=1", data={"symbol": "BTCUSDT"})
    refused = await client.post("/api/v3/order", data={"symbol": "ETHUSDT"})

    assert answer.json() == {"asked": "a=1", "form": "symbol=BTCUSDT"}
    assert (refused.status_code, refused.headers["x-quantbus-data"]) == (503, "SYNTHETIC")
    assert desk.injected == {"unavailable": 1}


async def test_health_and_control_meet_no_fault(client: httpx.AsyncClient, desk: FaultDesk) -> None:
    desk.set("unavailable", {})

    assert (await client.get("/health")).status_code == 200
    assert (await client.get("/paper/faults")).status_code == 200


async def test_a_ban_refuses_everything_until_it_is_over(client: httpx.AsyncClient, desk: FaultDesk) -> None:
    desk.set("banned", {"times": 1, "seconds": 120})

    answers = [await client.get("/api/v3/klines") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [418, 418]
    assert answers[0].headers["retry-after"] == "120"
    assert f"banned until {NOON_MS + 120_000}" in answers[0].json()["msg"]


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("late_candle", lambda found: len(found) == 9),
        ("missing_candle", lambda found: found == []),
        ("duplicate_candle", lambda found: len(found) == 20 and found[0] == found[1]),
        ("unordered_candle", lambda found: found != sorted(found) and len(found) == 10),
        ("zero_volume_candle", lambda found: {row[5] for row in found} == {"0.00000000"}),
        ("high_below_low", lambda found: all(float(row[2]) < float(row[3]) for row in found)),
        ("nan_candle", lambda found: {row[4] for row in found} == {"NaN"}),
        ("null_candle", lambda found: found[0][1:6] == [None] * 5),
        ("misaligned_candle", lambda found: found[0][0] % MINUTE_MS == 500),
        ("partial_last_candle", lambda found: found[-1][0] == NOON_MS and found[-1][6] == NOON_MS - 1),
    ],
)
async def test_candles_are_spoilt_as_the_catalogue_says(
    client: httpx.AsyncClient, desk: FaultDesk, name: str, check: Any
) -> None:
    given = {"heals": 0.001} if name == "late_candle" else {}
    desk.set(name, given)

    assert check(await rows(client))


async def test_the_same_bars_are_spoilt_in_every_answer(client: httpx.AsyncClient, desk: FaultDesk) -> None:
    desk.set("missing_candle", {"share": 0.5, "seed": 5})

    first, second = await rows(client), await rows(client)

    assert first == second
    assert 0 < len(first) < 10


async def test_bars_heal(client: httpx.AsyncClient, desk: FaultDesk) -> None:
    desk.set("revised_candle", {"heals": 30})

    found = await rows(client)

    assert found[:8] == [bar(number) for number in range(10, 2, -1)]
    assert [row[4] for row in found[8:]] == ["102.0", "101.00000000"]


async def test_faults_are_switched_by_request(client: httpx.AsyncClient, desk: FaultDesk) -> None:
    put = await client.put("/paper/faults/slow_answer", json={"every": 5})
    wrong = await client.put("/paper/faults/slow_answer", json={"often": 5})
    nothing = await client.put("/paper/faults/slow_answer", content=b"[1]")
    post = await client.post("/paper/faults")
    cleared = await client.delete("/paper/faults/slow_answer")

    assert put.json()["active"] == {"slow_answer": {"every": 5}}
    assert (wrong.status_code, nothing.status_code, post.status_code) == (400, 400, 405)
    assert "can be given seconds, seed" in wrong.json()["error"]
    assert cleared.json()["active"] == {}


@pytest.mark.parametrize("header", ["Origin", "X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_browsers_and_proxies_may_not_switch_faults(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.put("/paper/faults/banned", json={}, headers={header: "127.0.0.1"})

    assert answer.status_code == 403


async def test_a_page_under_a_name_that_was_made_to_point_here_may_not_switch_faults(
    client: httpx.AsyncClient,
) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await client.request(method, "/paper/faults/banned", headers={"Host": "evil.example"})
        assert answer.status_code == 403
    assert (await client.get("/paper/faults", headers={"Host": "[::1]:8711"})).status_code == 200


async def test_other_machines_may_not_switch_faults(desk: FaultDesk) -> None:
    layer = FaultLayer(EXCHANGE, desk, {})
    transport = httpx.ASGITransport(layer, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/paper/faults")).status_code == 403
