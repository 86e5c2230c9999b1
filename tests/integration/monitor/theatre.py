"""A paper account that is really traded, a bot that says what it did, and the monitor's own parts that compare them."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import ccxt
import httpx

from quantbus_contracts import SignalBus, Strategy
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.account_books import AccountBooks
from quantbus_contracts.mongo.account_snapshots import AsyncAccountSnapshots
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.controls import AsyncControlStore, ControlStore
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.findings import AsyncFindingStore, FindingStore
from quantbus_contracts.runtime.metrics import new_registry
from quantbus_contracts.schema import AccountMarket, AccountSnapshot, Balance, Fill, Holding, Signal
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.account.metrics import AccountMetrics
from quantbus_services.account.settings import AccountSettings
from quantbus_services.account.venue import Account, open_account
from quantbus_services.account.watch import Look, Watch
from quantbus_services.monitor.board import Outcome
from quantbus_services.monitor.checks import Limits, Sources
from quantbus_services.monitor.checks.orders import PositionMismatch
from quantbus_services.monitor.freqtrade_api import FreqtradeApi
from quantbus_services.monitor.keeping import FindingKeeper
from quantbus_services.monitor.reconciliation.reconcile import Patience
from quantbus_services.monitor.runner import run_checks
from quantbus_services.monitor.stored_view import StoredView
from quantbus_services.paper_exchange import PaperExchange
from tests.integration.monitor.running import FreqtradeStandIn, freqtrade_stand_in

SPOT = ("BTC/USDT", "ETH/USDT")
SWAP = ("BTC/USDT:USDT", "ETH/USDT:USDT")
MINUTE = Timeframe.parse("1m")
AMOUNTS = {"BTC": 0.01, "ETH": 0.2}
SETTLE = 0.4


_NUMBERS = itertools.count(1)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@dataclass
class Trader:
    """Trades the account as a bot does, and tells the bus and its own API of it; or as somebody else, who does not."""

    venue: ccxt.binance
    connection: Connection
    api: FreqtradeStandIn
    market: AccountMarket
    url: str
    account: str
    consumer: str = "bot"
    rows: dict[str, Signal] = field(default_factory=dict)

    def pair(self, base: str) -> str:
        return f"{base}/USDT:USDT" if self.market == "swap" else f"{base}/USDT"

    def now(self) -> datetime:
        return self.connection.server_now()

    def publish(self, pair: str, action: str = "enter_long") -> Signal:
        """Publish for a bar of the last hours, each time for the next one."""
        bar = MINUTE.last_closed(datetime.now(UTC)) - (200 - len(self.rows)) * MINUTE.delta
        signal = make_signal(strategy_id="demo", pair=pair, action=action, ts=bar)
        SignalBus(self.connection, publisher="test").publish([signal])
        self.rows[signal.signal_id] = signal
        return signal

    def order(self, pair: str, side: str, amount: float) -> dict[str, Any]:
        """Fill at the market; nobody is told."""
        self.venue.load_time_difference()  # the exchange's clock may run faster than ours
        made: dict[str, Any] = self.venue.create_order(pair, "market", side, amount)
        return made

    def enter(
        self, base: str = "BTC", side: str = "long", *, signal: Signal | None = None, stop: bool = True
    ) -> dict[str, Any]:
        """Open a trade as the bot does: order, ledger, books, stop; return it as its API tells it."""
        pair = self.pair(base)
        signal = signal or self.publish(pair, f"enter_{side}")
        amount = AMOUNTS[base]
        made = self.order(pair, "buy" if side == "long" else "sell", amount)
        held = float(made["filled"]) - (made["fee"]["cost"] if self.market == "spot" and made["fee"] else 0.0)
        number = len(self.api.open) + len(self.api.closed) + 1
        trade: dict[str, Any] = {
            "trade_id": number,
            "pair": pair,
            "is_open": True,
            "is_short": side == "short",
            "open_timestamp": milliseconds(self.now()),
            "enter_tag": signal.signal_id,
            "has_open_orders": False,
            "amount": held,
            "orders": [self.told(made["id"], "buy" if side == "long" else "sell", is_open=False)],
        }
        if stop:
            trade["orders"].append(self.told(self.lay_stop(trade), "stoploss", is_open=True))
        self.api.open.append(trade)
        self.write(signal, trade, float(made["average"]), f"enter_{side}")
        return trade

    def told(self, order_id: str, side: str, *, is_open: bool) -> dict[str, Any]:
        now = milliseconds(self.now())
        filled = None if is_open else now
        return {
            "order_id": str(order_id),
            "ft_order_side": side,
            "is_open": is_open,
            "order_timestamp": now,
            "order_filled_timestamp": filled,
        }

    def lay_stop(self, trade: dict[str, Any]) -> str:
        """Lay a stop far away at the venue; return its id."""
        self.venue.load_time_difference()
        pair, short = trade["pair"], trade["is_short"]
        price = float(self.venue.fetch_ticker(pair)["last"]) * (1.6 if short else 0.6)
        if self.market == "swap":
            more = {"stopPrice": price, "reduceOnly": True}
            side = "buy" if short else "sell"
            return str(self.venue.create_order(pair, "market", side, trade["amount"], None, more)["id"])
        amount = float(self.venue.amount_to_precision(pair, trade["amount"]))
        more = {"stopPrice": price}
        return str(self.venue.create_order(pair, "limit", "sell", amount, price * 0.99, more)["id"])

    def cancel(self, trade: dict[str, Any], number: int = 1) -> None:
        """Cancel an order of a trade at the venue; nobody is told."""
        self.venue.load_time_difference()
        name = trade["orders"][number]["order_id"]
        self.venue.cancel_order(name, trade["pair"], {"stop": True} if self.market == "swap" else {})

    def write(self, signal: Signal, trade: dict[str, Any], price: float, side: str, **given: Any) -> None:
        """Tell the bus of an entry."""
        now = self.now()
        row = {
            "consumer_id": self.consumer,
            "state": "filled",
            "side": side,
            "trade_id": trade["trade_id"],
            "order_ids": (trade["orders"][0]["order_id"],),
            "available_at": now,
            "seen_at": now,
            "ordered_at": now,
            "filled_at": now,
        }
        ExecutionWriter(self.connection).record([make_execution(signal, **{**row, **given})])
        self.tell(trade, price, "entry")

    def tell(self, trade: dict[str, Any], price: float, purpose: str) -> None:
        """Tell the bus of a fill, and of what is held now."""
        now, is_exit = self.now(), purpose == "exit"
        common: dict[str, Any] = {
            "consumer_id": "bot",
            "strategy_id": "demo",
            "pair": trade["pair"],
            "dry_run": False,
        }
        side = "short" if trade["is_short"] else "long"
        AccountBooks(self.connection).record(
            [
                Fill(
                    **common,
                    order_id=trade["orders"][-1 if is_exit else 0]["order_id"],
                    trade_id=trade["trade_id"],
                    side="sell" if is_exit != trade["is_short"] else "buy",
                    purpose="exit" if is_exit else "entry",
                    amount=trade["amount"],
                    price=price,
                    ordered_at=now,
                    filled_at=now,
                ),
                Holding(
                    **common,
                    side="flat" if is_exit else side,
                    amount=0.0 if is_exit else trade["amount"],
                    at=now,
                ),
            ]
        )
        self.count()

    def count(self) -> None:
        """Tell the bus how much money there is, as the venue says."""
        self.venue.load_time_difference()
        total = float(self.venue.fetch_balance({"type": self.market})["USDT"]["total"])
        row = Balance(
            consumer_id="bot", currency="USDT", total=total, free=total, at=self.now(), dry_run=False
        )
        AccountBooks(self.connection).record([row])

    def leave(self, trade: dict[str, Any]) -> None:
        """Close a trade as the bot does."""
        if len(trade["orders"]) > 1:
            self.cancel(trade)
            trade["orders"][1] |= {"is_open": False}
        side = "buy" if trade["is_short"] else "sell"
        amount = trade["amount"]
        if self.market == "spot":
            amount = float(self.venue.amount_to_precision(trade["pair"], amount))
        made = self.order(trade["pair"], side, amount)
        trade["orders"].append(self.told(made["id"], side, is_open=False))
        trade |= {"is_open": False, "close_timestamp": milliseconds(self.now())}
        self.api.closed[trade["trade_id"]] = trade
        self.api.open.remove(trade)
        self.tell(trade, float(made["average"]), "exit")


@dataclass
class Theatre:
    """Everything around one account."""

    paper: PaperExchange
    trader: Trader
    account: Account
    watch: Watch
    view: StoredView
    check: PositionMismatch
    keeper: FindingKeeper
    connection: Connection
    async_connection: AsyncConnection

    async def look(self) -> AccountSnapshot | None:
        """Read the account once."""
        return await self.watch.once()

    async def cycle(self) -> list[str]:
        """Read the account, compare, keep; return the kinds that stand and nobody has taken on."""
        await self.look()
        await self.compare()
        return self.kinds()

    async def compare(self, keeper: FindingKeeper | None = None) -> list[Outcome]:
        """Compare and keep once, with what was read of the account before."""
        now = await self.async_connection.server_now()
        self.view.begin_cycle(now)
        outcomes = await run_checks([self.check], now)
        assert [outcome.error for outcome in outcomes] == [None]
        await (keeper or self.keeper).keep(outcomes, now)
        return outcomes

    def kinds(self) -> list[str]:
        snapshot = FindingStore(self.connection).snapshot()
        return sorted({row.kind for row in snapshot.findings if not row.is_acknowledged(snapshot.now)})

    def blocks(self) -> list[str]:
        """Return the scopes that the monitor blocks."""
        snapshot = ControlStore(self.connection).snapshot()
        return [
            one.scope for one in snapshot.controls if one.source == "monitor" and one.is_active(snapshot.now)
        ]

    async def mend(self) -> None:
        """Let the venue answer again."""
        await asyncio.to_thread(httpx.delete, f"{self.paper.url}/paper/faults")

    async def two_cycles(self) -> list[str]:
        """Return what the cycle after the settle window finds; the one before saw what had changed."""
        await self.cycle()
        settled()
        return await self.cycle()

    async def close(self) -> None:
        await self.account.close()
        api = self.check._sources.bot
        assert isinstance(api, FreqtradeApi)
        await api.close()


def settled() -> None:
    """Let the settle window pass."""
    time.sleep(SETTLE + 0.1)


def keeper_of(connection: AsyncConnection, *, blocking: bool = True) -> FindingKeeper:
    return FindingKeeper(
        AsyncFindingStore(connection), AsyncControlStore(connection), instance="test", blocking=blocking
    )


@contextmanager
def exchange(*, speed: float = 1.0, faults: Sequence[str] = ()) -> Iterator[PaperExchange]:
    """Open a paper exchange that takes orders."""
    paper = PaperExchange(
        symbols="BTC/USDT,ETH/USDT", accounts=True, seed=11, speed=speed, faults=tuple(faults)
    )
    with paper:
        yield paper


@contextmanager
def theatre(
    paper: PaperExchange,
    connection: Connection,
    async_connection: AsyncConnection,
    market: AccountMarket,
    *,
    settle: float = SETTLE,
) -> Iterator[Theatre]:
    """Open an account at the paper exchange and put the parts around it; must be closed inside the loop."""
    with freqtrade_stand_in() as api:
        name = f"live-{next(_NUMBERS)}"
        asked = {
            "name": name,
            "spot": {"USDT": "5000"},
            "futures": {"USDT": "5000"},
            "keys": [{}, {"can_trade": False}],
        }
        trading, reading = (
            httpx.post(f"{paper.url}/paper/accounts", json=asked).raise_for_status().json()["keys"]
        )
        keys = {"apiKey": trading["api_key"], "secret": trading["secret"]}
        venue = ccxt.binance(paper.ccxt_config(**keys) | {"enableRateLimit": False})
        venue.options |= {"adjustForTimeDifference": True, "recvWindow": 60_000}
        venue.options["fetchMarkets"] = {"types": ["spot", "linear"]}
        venue.load_markets()
        api.config |= {
            "dry_run": False,
            "trading_mode": "futures" if market == "swap" else "spot",
            "stoploss_on_exchange": True,
        }
        pairs = SWAP if market == "swap" else SPOT
        SignalBus(connection, publisher="test").declare(
            Strategy(
                strategy_id="demo",
                venue="BINANCE",
                market_type="swap" if market == "swap" else "spot",
                timeframe="1m",
                pairs=pairs,
                cadence_bars=None,
            )
        )
        trader = Trader(venue, connection, api, market, url=paper.url, account=name)
        trader.count()
        settings = AccountSettings(
            name=name,
            venue_url=paper.url,
            markets=(market,),
            pairs=pairs,
            key=reading["api_key"],
            secret=reading["secret"],
            attempts=2,
        )
        account = open_account(settings, SystemClock())
        look = Look(async_connection.server_now, AsyncAccountSnapshots(async_connection).add, _no_beat)
        watch = Watch(account, look, settings, AccountMetrics(new_registry("t", "0")), random=lambda: 0.1)
        view = StoredView(async_connection, SystemClock())
        sources = Sources(
            view,
            Limits(),
            FreqtradeApi.at(api.url, api.user, api.password),
            None,
            "bot",
            name,
            Patience(settle=timedelta(seconds=settle)),
        )
        yield Theatre(
            paper,
            trader,
            account,
            watch,
            view,
            PositionMismatch(sources),
            keeper_of(async_connection),
            connection,
            async_connection,
        )


async def _no_beat(*_: object) -> None:
    """Say nothing."""
