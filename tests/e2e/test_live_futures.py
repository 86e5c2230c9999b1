"""A live bot on swaps: real orders of an account at the paper exchange, asked of the exchange itself."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import ccxt
import httpx
import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.embedded import start_server
from quantbus_contracts.mongo.account_snapshots import AsyncAccountSnapshots
from quantbus_contracts.mongo.client import connect_async
from quantbus_contracts.runtime.metrics import new_registry
from quantbus_contracts.schema import Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_services.account.metrics import AccountMetrics
from quantbus_services.account.settings import AccountSettings
from quantbus_services.account.venue import open_account
from quantbus_services.account.watch import Look, Watch
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.orders import PositionMismatch
from quantbus_services.monitor.freqtrade_api import FreqtradeApi
from quantbus_services.monitor.reconciliation.reconcile import Patience
from quantbus_services.monitor.stored_view import StoredView
from quantbus_services.paper_exchange import ccxt_config
from tests.e2e.bot import Bot
from tests.e2e.stack import (
    CONSUMER,
    STRATEGY,
    Bus,
    early_in_a_bar,
    environment_of,
    last_closed,
    make_bot,
    run_quantbus,
    start_exchange,
)
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]

PAIR = "ETH/USDT:USDT"


class Live:
    """The bot, the bus it listens to, and the account it trades."""

    def __init__(self, bus: Bus, bot: Bot, account: ccxt.binance, venue_url: str) -> None:
        self.venue_url = venue_url
        self.bus = bus
        self.bot = bot
        self.account = account
        self._signals = SignalBus(bus.connection, publisher="e2e")

    def publish(self, action: str | None = None, **fields: Any) -> Signal:
        signal = make_signal(strategy_id=STRATEGY, pair=PAIR, action=action, **fields)
        report = self._signals.publish([signal])
        assert report.ok, report.as_dict()
        return signal

    def position(self) -> tuple[str | None, float, float | None]:
        """Return side, amount and leverage of the position that the account holds."""
        held = [one for one in self.account.fetch_positions([PAIR]) if one["contracts"]]
        if not held:
            return None, 0.0, None
        return held[0]["side"], float(held[0]["contracts"]), held[0]["leverage"]

    def orders(self) -> list[tuple[str, bool]]:
        """Return side and reduce-only of the account's orders that filled, oldest first."""
        orders = self.account.fetch_orders(PAIR)
        return [(str(one["side"]), bool(one["reduceOnly"])) for one in orders if one["status"] == "closed"]

    def stops(self) -> list[float]:
        """Return the prices of the stops that lie at the exchange now."""
        rows = self.account.fapiprivate_get_openalgoorders({"symbol": "ETHUSDT"})
        return [float(row["triggerPrice"]) for row in rows]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    environment = environment_of(folder / "home")
    with ExitStack() as ending:
        bus = Bus(start_server(folder / "home"))
        ending.callback(bus.close)
        run_quantbus(["bus", "init"], environment)
        venue = start_exchange(folder, environment, ending, "--accounts")
        asked = {"name": "live", "futures": {"USDT": "1000"}}
        (key,) = httpx.post(f"{venue}/paper/accounts", json=asked).raise_for_status().json()["keys"]
        bot = make_bot(folder, venue, environment, "--live", "--futures", pairs=(PAIR,))
        configure(folder / "bot.json", key)
        keys = {"apiKey": key["api_key"], "secret": key["secret"]}
        stack = Live(bus, bot, ccxt.binance({**ccxt_config(venue), **keys}), venue)
        SignalBus(bus.connection, publisher="e2e").declare(
            Strategy(
                strategy_id=STRATEGY,
                venue="BINANCE",
                market_type="swap",
                timeframe="1m",
                pairs=(PAIR,),
                cadence_bars=None,
            )
        )
        bot.start()
        ending.callback(bot.stop)
        yield stack


def configure(file: Path, key: dict[str, str]) -> None:
    config = json.loads(file.read_text(encoding="utf-8"))
    config["exchange"] |= {"key": key["api_key"], "secret": key["secret"]}
    config["external_signal"]["rules"] |= {"max_leverage": 3, "drift_band": 0.03}
    config |= {"available_capital": 1000, "stake_amount": 20}
    file.write_text(json.dumps(config), encoding="utf-8")


def test_the_account_holds_what_the_signals_ask_for(live: Live) -> None:
    early_in_a_bar(seconds_left=40)
    bar = last_closed()
    price = float(live.account.fetch_ticker(PAIR)["last"])
    stop = price * 0.985
    first = live.publish(weight=0.2, leverage=3.0, stop_price=stop, ts=bar)
    assert live.bus.end_of(first, within=60).state == "filled"
    side, amount, leverage = live.position()
    assert (side, leverage) == ("long", 3.0)
    assert amount * price == pytest.approx(0.2 * 1000 * 0.99 * 3, rel=0.05)
    (laid,) = eventually(live.stops, within=30, what="a stop at the exchange")
    assert laid == pytest.approx(stop, rel=1e-3)

    live.publish(weight=0.35, leverage=3.0, stop_price=stop, ts=first.ts)
    row = live.bus.end_of(first, within=60, version=2)
    assert (row.state, row.reason) == ("filled", "resized")
    assert live.position()[1] == pytest.approx(amount * 0.35 / 0.2, rel=0.05)

    live.publish(weight=0.1, leverage=3.0, stop_price=stop, ts=first.ts)
    row = live.bus.end_of(first, within=60, version=3)
    assert (row.state, row.reason) == ("filled", "resized")
    assert live.position()[1] == pytest.approx(amount * 0.1 / 0.2, abs=0.011)
    assert live.orders() == [("buy", False), ("buy", False), ("sell", True)]
    eventually(
        lambda: live.stops() == [pytest.approx(stop, rel=1e-4)],
        within=30,
        what="the stop to lie where the signal wants it",
    )


def test_a_reversal_turns_the_account_round(live: Live) -> None:
    eventually(lambda: len(live.stops()) == 1, within=30, what="the stop to lie at the exchange again")
    newest = last_closed()
    bar = eventually(
        lambda: last_closed() if last_closed() > newest else None, within=62, what="a bar to close"
    )
    turn = live.publish("enter_short", ts=bar)
    row = live.bus.end_of(turn, within=60)
    assert (row.state, row.side) == ("filled", "enter_short")
    assert live.position()[0] == "short"
    assert live.orders()[3:] == [("sell", True), ("sell", False)]
    assert "Traceback" not in live.bot.log.read_text(encoding="utf-8")


async def test_the_monitor_finds_what_was_closed_behind_the_bots_back(live: Live) -> None:
    """The real Freqtrade notices that itself within an hour; three sides compared tell it within two looks."""
    eventually(lambda: len(live.stops()) == 1, within=60, what="the stop of the short to lie at the exchange")
    clock, settle = SystemClock(), timedelta(seconds=3)
    connection = connect_async(live.bus.connection.settings, app="e2e", timeout_seconds=20)
    settings = AccountSettings(
        name="live",
        venue_url=live.venue_url,
        markets=("swap",),
        key=live.account.apiKey,
        secret=live.account.secret,
    )
    account = open_account(settings, clock)
    add = AsyncAccountSnapshots(connection).add
    look = Look(connection.server_now, add, no_beat)
    watch = Watch(account, look, settings, AccountMetrics(new_registry("e2e", "0")), random=lambda: 0.1)
    view, api = StoredView(connection, clock), FreqtradeApi.at(live.bot.url, *live.bot.login)
    check = PositionMismatch(
        Sources(view, bot=api, consumer_id=CONSUMER, account_name="live", patience=Patience(settle=settle))
    )

    async def found() -> set[str]:
        await watch.once()
        now = await connection.server_now()
        view.begin_cycle(now)
        return {finding.kind for finding in await check.check(now)}

    try:
        await found()
        await asyncio.sleep(settle.total_seconds() + 1)
        assert not await found() & {"account_flat", "account_holds_unknown", "amount_differs", "stop_missing"}
        assert check.note.startswith("three sides")
        amount = live.position()[1]
        await asyncio.to_thread(
            live.account.create_order, PAIR, "market", "buy", amount, None, {"reduceOnly": True}
        )
        await found()
        await asyncio.sleep(settle.total_seconds() + 1)
        assert "account_flat" in await found()
    finally:
        await account.close()
        await api.close()
        await connection.close()


async def no_beat(*_: object) -> None:
    """Say nothing."""
