"""The real Freqtrade trades live, not in dry run: real orders of an account at the paper exchange."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ccxt
import httpx
import pytest

from quantbus_services.paper_exchange import ccxt_config
from tests.e2e.bot import Bot
from tests.e2e.stack import beside_python
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

PAIRS = {"spot": "BTC/USDT", "futures": "BTC/USDT:USDT"}
STRATEGY = '''
from datetime import timedelta

from freqtrade.strategy import IStrategy


class Once(IStrategy):
    """Enter at once, leave after three seconds."""

    timeframe = "1m"
    can_short = {can_short}
    minimal_roi = {{"0": 10}}
    stoploss = -0.05
    process_only_new_candles = False
    order_types = {{
        "entry": "limit", "exit": "limit", "stoploss": "{stop}", "stoploss_on_exchange": True,
    }}

    def populate_indicators(self, frame, metadata):
        return frame

    def populate_entry_trend(self, frame, metadata):
        frame.loc[:, "{entry}"] = 1
        return frame

    def populate_exit_trend(self, frame, metadata):
        return frame

    def leverage(self, *args, **kwargs):
        return {leverage}

    def custom_exit(self, pair, trade, current_time, *args, **kwargs):
        if current_time - trade.open_date_utc > timedelta(seconds=3):
            return "after_three_seconds"
'''


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("venue")
    ready, log = folder / "ready.json", folder / "exchange.log"
    command = [str(beside_python("quantbus")), "paper-exchange", "serve", "--port", "0", "--accounts"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--symbols", "BTC/USDT", "--ready-file", str(ready)],
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    eventually(ready.is_file, within=90, what=f"a paper exchange; read {log}")
    yield str(json.loads(ready.read_text(encoding="utf-8"))["url"])
    process.terminate()
    process.wait(timeout=30)


def environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("QUANTBUS_", "FREQTRADE"))
    }
    return kept | {"QUANTBUS_HOME": str(folder / "home"), "NO_PROXY": "127.0.0.1"}


def open_account(venue: str, name: str) -> dict[str, str]:
    asked = {"name": name, "spot": {"USDT": "1000"}, "futures": {"USDT": "1000"}}
    (key,) = httpx.post(f"{venue}/paper/accounts", json=asked).raise_for_status().json()["keys"]
    return {"key": key["api_key"], "secret": key["secret"]}


def live_bot(folder: Path, venue: str, mode: str, keys: dict[str, str]) -> Bot:
    is_futures = mode == "futures"
    strategies = folder / "user_data" / "strategies"
    strategies.mkdir(parents=True)
    text = STRATEGY.format(
        can_short=is_futures,
        stop="market" if is_futures else "limit",
        entry="enter_short" if is_futures else "enter_long",
        leverage=3.0 if is_futures else 1.0,
    )
    (strategies / "Once.py").write_text(text, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    config: dict[str, Any] = {
        "dry_run": False,
        "strategy": "Once",
        "trading_mode": mode,
        "margin_mode": "isolated" if is_futures else "",
        "stake_currency": "USDT",
        "stake_amount": 100,
        "max_open_trades": 1,
        "initial_state": "running",
        "exchange": {
            "name": "binance",
            "enable_ws": False,
            "pair_whitelist": [PAIRS[mode]],
            "ccxt_config": ccxt_config(venue),
            **keys,
        },
        "pairlists": [{"method": "StaticPairList"}],
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "internals": {"process_throttle_secs": 1},
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": port,
            "username": "quantbus",
            "password": "e2e-password",
            "jwt_secret_key": "only-for-this-test-and-long-enough-for-it",
            "ws_token": "only-for-this-test",
            "CORS_origins": [],
        },
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    api, database, log = f"http://127.0.0.1:{port}", folder / "trades.sqlite", folder / "freqtrade.log"
    return Bot(path, folder / "user_data", database, log, environment(folder), api)


@pytest.fixture(scope="module")
def bots(
    venue: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Bot, dict[str, str]]]]:
    """Start both bots at once: most of what they take is their own start."""
    keys = {mode: open_account(venue, mode) for mode in PAIRS}
    made = {mode: live_bot(tmp_path_factory.mktemp(mode), venue, mode, keys[mode]) for mode in PAIRS}
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Bot.start, made.values()))
        yield {mode: (made[mode], keys[mode]) for mode in PAIRS}
    finally:
        for bot in made.values():
            bot.stop()


@pytest.mark.parametrize("mode", ["spot", "futures"])
def test_a_live_bot_opens_and_closes_a_trade(
    bots: dict[str, tuple[Bot, dict[str, str]]], venue: str, mode: str
) -> None:
    bot, keys = bots[mode]
    trade = eventually(
        lambda: next((one for one in bot.trades(PAIRS[mode]) if not one["is_open"]), None),
        within=90,
        what=f"a closed trade; read {bot.log}",
    )
    assert (trade["exit_reason"], trade["exchange"]) == ("after_three_seconds", "binance")
    log = bot.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    account = {"apiKey": keys["key"], "secret": keys["secret"]}
    check = check_futures if mode == "futures" else check_spot
    check(ccxt.binance(ccxt_config(venue) | account), trade)


def check_spot(exchange: ccxt.binance, trade: dict[str, Any]) -> None:
    """Compare what the bot believes with what the venue knows: entry, stop at the venue, exit."""
    entry, stop, leave = exchange.fetch_orders(PAIRS["spot"])[:3]
    assert [entry["status"], stop["status"], leave["status"]] == ["closed", "canceled", "closed"]
    assert (entry["side"], stop["triggerPrice"] is not None, leave["side"]) == ("buy", True, "sell")
    assert trade["open_rate"] == pytest.approx(entry["average"])
    assert trade["close_rate"] == pytest.approx(leave["average"])
    assert trade["amount"] == pytest.approx(leave["filled"])


def check_futures(exchange: ccxt.binance, trade: dict[str, Any]) -> None:
    """Compare what the bot believes with what the venue knows: a short with three times leverage, isolated."""
    entry, leave = exchange.fetch_orders(PAIRS["futures"])[:2]
    assert [entry["status"], leave["status"]] == ["closed", "closed"]
    assert (entry["side"], leave["side"], leave["reduceOnly"]) == ("sell", "buy", True)
    assert (trade["is_short"], trade["leverage"]) == (1, 3.0)
    assert trade["open_rate"] == pytest.approx(entry["average"])
    assert trade["close_rate"] == pytest.approx(leave["average"])
    assert exchange.fetch_margin_mode(PAIRS["futures"])["marginMode"] == "isolated"
    stops = exchange.fapiprivate_get_allalgoorders({"symbol": "BTCUSDT"})
    assert {row["algoStatus"] for row in stops} <= {"CANCELED", "NEW"}
    assert stops
