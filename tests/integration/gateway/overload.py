"""One client that asks for much more than its key may, beside one that keeps to its rate."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.integration.gateway.running import Gateway

_START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass
class Load:
    """What one client asked for, and what it was told."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    without_advice: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return self.statuses.total()

    @property
    def served(self) -> int:
        return self.statuses[200]

    @property
    def limited(self) -> int:
        return self.statuses[429]

    def assert_sound(self) -> None:
        """Nothing but an answer or the advice when to come back, in reasonable time."""
        assert set(self.statuses) <= {200, 429}, self.statuses
        assert self.without_advice == 0
        assert sorted(self.latencies)[int(0.99 * len(self.latencies))] < 10.0


async def overload(gateway: Gateway, *, per_second: float, times: float, seconds: float) -> tuple[Load, Load]:
    """Publish ``times`` the rate with one key, and half the rate with another; return both loads."""
    greedy, modest = Load(), Load()
    async with httpx.AsyncClient(
        base_url=gateway.url, timeout=20, trust_env=False, limits=httpx.Limits(max_connections=60)
    ) as client:
        asking = asyncio.create_task(
            _ask_too_much(client, gateway.new_key(), greedy, per_second * times, seconds)
        )
        await _keep_to_the_rate(client, gateway.new_key(), modest, per_second / 2, asking)
        await asking
    return greedy, modest


async def _ask_too_much(
    client: httpx.AsyncClient, secret: str, load: Load, per_second: float, seconds: float
) -> None:
    started = time.monotonic()
    tasks: set[asyncio.Task[None]] = set()
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
        while len(tasks) >= 40:  # bounded: a slow machine sends later, not more at once
            _, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        tasks.add(asyncio.create_task(_one(client, secret, _row("greedy", number), load)))
    await asyncio.gather(*tasks)
    load.seconds = time.monotonic() - started


async def _keep_to_the_rate(
    client: httpx.AsyncClient, secret: str, load: Load, per_second: float, other: asyncio.Task[None]
) -> None:
    started = time.monotonic()
    while not other.done():
        await _one(client, secret, _row("modest", load.sent), load)
        await asyncio.sleep(1 / per_second)  # never sooner, whatever was missed
    load.seconds = time.monotonic() - started


async def _one(client: httpx.AsyncClient, secret: str, row: dict[str, Any], load: Load) -> None:
    before = time.monotonic()
    answer = await client.post("/v1/signals", json=[row], headers={"Authorization": f"Bearer {secret}"})
    load.latencies.append(time.monotonic() - before)
    load.statuses[answer.status_code] += 1
    if answer.status_code == 429 and int(answer.headers.get("Retry-After", 0)) < 1:
        load.without_advice += 1


def _row(strategy_id: str, number: int) -> dict[str, Any]:
    return {
        "strategy_id": strategy_id,
        "symbol": "BINANCE:BTCUSDT",
        "pair": "BTC/USDT",
        "timeframe": "1m",
        "ts": (_START + timedelta(minutes=number)).isoformat().replace("+00:00", "Z"),
        "score": 0.5,
    }
