"""Who may post to /alerts, what is taken, and that it goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.testing import FrozenClock
from quantbus_services.monitor.alerts.deadman import DeadMan
from quantbus_services.monitor.alerts.lanes import Lanes
from quantbus_services.monitor.alerts.metrics import AlertMetrics
from quantbus_services.monitor.alerts.room import AlertRoom
from quantbus_services.monitor.settings import MonitorSettings
from tests.unit.services.monitor.alerts.posts import Scripted, alert, post
from tests.unit.services.monitor.fake_bus import seconds

TOKEN = "0123456789abcdef"


class Receiving:
    """The room behind its routes, with one messenger."""

    def __init__(self, clock: FrozenClock, token: str | None, patience: float) -> None:
        self.registry = CollectorRegistry()
        self.messenger = Scripted()
        metrics = AlertMetrics(self.registry)
        self.room = AlertRoom(
            lanes=Lanes([self.messenger], metrics, first_pause_seconds=0.0),
            metrics=metrics,
            clock=clock,
            deadman=DeadMan(seconds(patience)),
            token=SecretStr(token) if token else None,
        )
        self.app = FastAPI()
        self.app.include_router(self.room.routes())

    def from_(self, host: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(host, 40_000))
        return httpx.AsyncClient(transport=transport, base_url="http://monitor")

    async def post(
        self, body: Any, *, path: str = "/alerts", host: str = "127.0.0.1", **headers: str
    ) -> httpx.Response:
        async with self.from_(host) as http:
            if isinstance(body, bytes):
                return await http.post(
                    path, content=body, headers={"content-type": "application/json"} | headers
                )
            return await http.post(path, json=body, headers=headers)

    def read(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"quantbus_{name}", labels)


@asynccontextmanager
async def receiving(
    clock: FrozenClock, *, token: str | None = None, patience: float = 60
) -> AsyncIterator[Receiving]:
    made = Receiving(clock, token, patience)
    running = asyncio.create_task(made.room.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # a messenger and a counter have no event
            await asyncio.sleep(0.005)


async def test_what_alertmanager_posts_reaches_the_messenger(frozen_clock: FrozenClock) -> None:
    async with receiving(frozen_clock) as room:
        assert (await room.post(post(alert(strategy_id="demo")))).status_code == 202
        await until(lambda: room.messenger.sent)
        assert room.messenger.sent[0].title == "[CRITICAL] SignalMissing: demo"
        await until(lambda: room.read("alert_messages_total", outcome="delivered") == 1)


async def test_without_a_token_only_this_machine_may_post(frozen_clock: FrozenClock) -> None:
    async with receiving(frozen_clock) as room:
        refused = await room.post(post(alert()), host="10.0.0.7")
        assert refused.status_code == 403
        assert "QUANTBUS_MONITOR_ALERT_TOKEN_FILE" in refused.json()["detail"]
        assert (await room.post(post(alert()), host="::1")).status_code == 202
        assert room.read("alert_posts_refused_total") == 1


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer ", "Bearer tökén"])
async def test_with_a_token_nobody_may_post_without_it(frozen_clock: FrozenClock, given: str) -> None:
    async with receiving(frozen_clock, token=TOKEN) as room:
        async with room.from_("127.0.0.1") as http:
            headers = [(b"authorization", given.encode("latin-1"))] if given else []
            assert (await http.post("/alerts", json=post(alert()), headers=headers)).status_code == 401
        assert room.messenger.sent == []


async def test_with_the_token_another_machine_may_post(frozen_clock: FrozenClock) -> None:
    async with receiving(frozen_clock, token=TOKEN) as room:
        taken = await room.post(post(alert()), host="10.0.0.7", authorization=f"Bearer {TOKEN}")
        assert taken.status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"[]",
        b"{}",
        b"\xff\xfe",
        post(alert(), version="3"),
        post(),
        {**post(alert()), "alerts": [{"status": "firing"}]},
        post({**alert(), "startsAt": "2026-01-05 12:00:00"}),
        post({**alert(), "status": "unheard-of"}, status="firing"),
        post({**alert(), "labels": {"alertname": "x" * 5_000}}),
        post({**alert(), "labels": {f"label{number}": "x" for number in range(65)}}),
    ],
)
async def test_anything_else_is_refused_with_the_place_that_is_wrong(
    frozen_clock: FrozenClock, body: Any
) -> None:
    async with receiving(frozen_clock) as room:
        refused = await room.post(body)
        assert refused.status_code == 400
        assert "expected Alertmanager's webhook" in refused.json()["detail"]
        assert room.messenger.sent == []


async def test_a_body_without_end_and_another_type_are_refused(frozen_clock: FrozenClock) -> None:
    async with receiving(frozen_clock) as room:
        assert (await room.post(b"x" * 1_048_577)).status_code == 413
        form = await room.post(post(alert()), **{"content-type": "text/plain"})
        assert form.status_code == 415


async def test_a_watchdog_is_noted_and_bothers_nobody(frozen_clock: FrozenClock) -> None:
    async with receiving(frozen_clock) as room:
        watchdog = post(alert("Watchdog", severity="none"))
        assert (await room.post(watchdog, path="/alerts/watchdog")).status_code == 202
        assert room.read("watchdog_last_timestamp_seconds") == frozen_clock.now().timestamp()
        assert room.messenger.sent == []


async def test_a_watchdog_that_stays_away_is_told_and_its_return_as_well(frozen_clock: FrozenClock) -> None:
    async with receiving(frozen_clock, patience=60) as room:
        watchdog = post(alert("Watchdog", severity="none"))
        await room.post(watchdog, path="/alerts/watchdog")
        frozen_clock.advance(seconds(61))
        await until(lambda: room.messenger.sent)
        assert room.messenger.sent[0].title == "[CRITICAL] WatchdogSilent"
        gone = post(alert("Watchdog", severity="none", resolved=True))
        await room.post(gone, path="/alerts/watchdog")
        assert len(room.messenger.sent) == 1
        await room.post(watchdog, path="/alerts/watchdog")
        await until(lambda: len(room.messenger.sent) == 2)
        assert room.messenger.sent[1].title == "[RESOLVED] WatchdogSilent"


def test_a_token_that_could_be_guessed_is_refused(tmp_path: Path) -> None:
    short_token = tmp_path / "token"
    short_token.write_text("guess-me\n")
    settings = MonitorSettings(alert_token_file=short_token)
    with pytest.raises(ConfigError, match="at least 16 characters"):
        settings.alert_token()
    short_token.write_text(f"{TOKEN}\n")
    token = settings.alert_token()
    assert token is not None
    assert token.get_secret_value() == TOKEN
    assert MonitorSettings().alert_token() is None
