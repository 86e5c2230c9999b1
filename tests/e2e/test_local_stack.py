"""The local stack as `quantbus up` runs it: the gateway serves in it, and a key of its own folder opens it."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from io import StringIO
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from quantbus_contracts.clock import SystemClock
from quantbus_services.local.display import Display
from quantbus_services.local.folders import bot_user_data, free_port
from quantbus_services.local.settings import clean_environment
from quantbus_services.local.stack import StackPlan
from quantbus_services.local.stack_run import RunningStack, answers, start_stack, stop_stack, write_addresses

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


def plan_of(home: Path) -> StackPlan:
    return StackPlan(
        home=home,
        pairs=("BTC/USDT",),
        recipe="demo",
        timeframe="1m",
        strategy_id="demo",
        consumer_id="stack-bot",
        bot_port=free_port(),
        monitor_port=free_port(),
        paper_port=free_port(),
        venue="",
        data=None,
        gateway_port=free_port(),
        ingestion_metrics_port=free_port(),
        research_metrics_port=free_port(),
    )


def new_key(stack: RunningStack) -> str:
    quantbus = Path(sys.executable).parent / "quantbus"
    made = subprocess.run(
        [quantbus, "keys", "create", "--name", "mine", "--scope", "read", "--scope", "write", "--json"],
        env={**clean_environment(), "QUANTBUS_HOME": str(stack.plan.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(made.stdout)["secret"])


def bus_has_answered(metrics_url: str) -> bool:
    """Tell whether a process serves its metrics and has its bus: what a container's health check asks."""
    return answers(metrics_url) and "\nquantbus_bus_up 1.0\n" in httpx.get(metrics_url, timeout=5).text


def reads_freqtrade(monitor_url: str) -> bool:
    """Tell whether the monitor has money, loop and whitelist of the bot, and knows the answer of each check."""
    metrics = httpx.get(f"{monitor_url}/metrics", timeout=5).text
    checks = httpx.get(f"{monitor_url}/status", timeout=5).json()["checks"]
    outcomes = {check["name"]: check["outcome"] for check in checks}
    asked_of_the_bot = ("executor_loop_stale", "drawdown_high", "daily_loss", "whitelist_exposure")
    return (
        re.search(r"^quantbus_freqtrade_equity{.*} [1-9]", metrics, re.MULTILINE) is not None
        and re.search(r"^quantbus_freqtrade_last_process_timestamp_seconds{.*} [1-9]", metrics, re.MULTILINE)
        is not None
        and 'quantbus_freqtrade_whitelist_pairs{consumer_id="stack-bot"} 1.0' in metrics
        and all(outcomes[name] == "fine" for name in asked_of_the_bot)
    )


async def test_the_gateway_of_the_stack_publishes_and_is_watched(tmp_path: Path) -> None:
    display = Display(Console(file=StringIO()), SystemClock())
    stack = await start_stack(plan_of(tmp_path), display, bot_user_data())
    try:
        addresses = json.loads(write_addresses(stack).read_text())
        url = addresses["gateway"]
        await stack.supervisor.wait_until(lambda: answers(f"{url}/readyz"), what="the gateway", seconds=60)
        for name in ("ingestion", "research"):
            await stack.supervisor.wait_until(
                partial(bus_has_answered, addresses[name]), what=f"the metrics of {name}", seconds=60
            )
        row = {
            "strategy_id": "mine",
            "symbol": "BINANCE:BTCUSDT",
            "pair": "BTC/USDT",
            "timeframe": "1m",
            "ts": (datetime.now(UTC) - timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:00Z"),
            "action": "enter_long",
        }
        async with httpx.AsyncClient(
            timeout=20, headers={"Authorization": f"Bearer {new_key(stack)}"}
        ) as http:
            answer = await http.post(f"{url}/v1/signals", json=[row])
            assert (answer.status_code, answer.json()["inserted"]) == (200, 1), answer.text
            metrics = (await http.get(f"{url}/metrics")).text
            assert 'quantbus_signals_published_total{outcome="inserted"} 1.0' in metrics
            await stack.supervisor.wait_until(
                lambda: 'process="gateway"' in httpx.get(f"{stack.plan.monitor_url}/metrics", timeout=5).text,
                what="the monitor to know the gateway",
                seconds=60,
            )
            await stack.supervisor.wait_until(
                lambda: reads_freqtrade(stack.plan.monitor_url),
                what="the monitor to read the figures of a real Freqtrade",
                seconds=120,
            )
    finally:
        await stop_stack(stack)
