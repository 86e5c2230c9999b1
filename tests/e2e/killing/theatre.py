"""Where bots are killed: a real mongod, the paper exchange with accounts, signals, and bots in dry run or live."""

import json
import shutil
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ccxt
import httpx
from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Execution, Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange import ccxt_config
from tests.e2e.killing.deadly_venue import DeadlyVenue
from tests.e2e.killing.nursery import ForkedBot, Nursery
from tests.e2e.stack import ROOT, beside_python, environment_of, run_quantbus
from tests.e2e.waiting import eventually

STRATEGY = "killing"
ONE_MINUTE = Timeframe.parse("1m")
SETTLE_SECONDS = 3
FINAL = ("refused", "filled", "rejected", "superseded", "unknown", "expired_unseen")


class Theatre:
    """Everything around the bots."""

    def __init__(self, folder: Path, uri: str, exchange: str, nursery: Nursery, pairs: Sequence[str]) -> None:
        self.folder = folder
        self.pairs = tuple(pairs)
        self._exchange = exchange
        self._nursery = nursery
        self._environment = environment_of(folder / "home")
        self.connection = connect(MongoSettings(mongo_uri=SecretStr(uri)), app="killing", timeout_seconds=20)
        self._bus = SignalBus(self.connection, publisher="killing")
        self._bus.declare(
            Strategy(
                strategy_id=STRATEGY, venue="BINANCE", timeframe="1m", pairs=self.pairs, cadence_bars=None
            )
        )

    def publish(self, actions: dict[str, str], **fields: Any) -> list[Signal]:
        """Publish an action by pair, about the bar that closed last."""
        ts = ONE_MINUTE.last_closed(datetime.now(UTC))
        signals = [
            make_signal(strategy_id=STRATEGY, pair=pair, action=action, ts=ts, **fields)
            for pair, action in actions.items()
        ]
        report = self._bus.publish(signals)
        assert report.ok, report.as_dict()
        return signals

    def rows(self, consumer: str) -> dict[str, Execution]:
        """Return one consumer's ledger by signal."""
        rows = ExecutionReader(self.connection).since(datetime(2020, 1, 1, tzinfo=UTC), consumer_id=consumer)
        return {row.signal_id: row for row in rows}

    def await_ends(self, consumer: str, signals: Sequence[Signal], *, within: float) -> dict[str, Execution]:
        """Return the rows of signals once each is in a final state."""
        wanted = {signal.signal_id for signal in signals}

        def ended() -> dict[str, Execution] | None:
            rows = {name: row for name, row in self.rows(consumer).items() if name in wanted}
            done = len(rows) == len(wanted) and all(row.state.value in FINAL for row in rows.values())
            return rows if done else None

        try:
            return eventually(ended, within=within, what=f"final states of all signals at {consumer}")
        except AssertionError as error:
            rows = self.rows(consumer)
            open_ = {name: rows[name].state.value if name in rows else "none" for name in wanted}
            raise AssertionError(f"{error}; {Counter(open_.values())}; {self.folder}") from None

    def open_account(self, name: str) -> dict[str, str]:
        """Open a rich account at the exchange; return its key and secret."""
        asked = {"name": name, "spot": {"USDT": "100000"}}
        reply = httpx.post(f"{self._exchange}/paper/accounts", json=asked, timeout=30)
        (key,) = reply.raise_for_status().json()["keys"]
        return {"key": key["api_key"], "secret": key["secret"]}

    def orders(self, keys: dict[str, str], pair: str) -> list[dict[str, Any]]:
        """Return all orders of an account in a pair, as the venue tells them."""
        account = {"apiKey": keys["key"], "secret": keys["secret"]}
        return [
            dict(order) for order in ccxt.binance(ccxt_config(self._exchange) | account).fetch_orders(pair)
        ]

    @contextmanager
    def bot(
        self,
        name: str,
        keys: dict[str, str] | None = None,
        *,
        strategy_file: Path | None = None,
        **changes: Any,
    ) -> Iterator[tuple[ForkedBot, DeadlyVenue]]:
        """Give a bot that was not started yet, and its way to the venue; ``keys`` make it a live one."""
        home = self.folder / name
        userdir = home / "user_data"
        shutil.copytree(ROOT / "executor/user_data/strategies", userdir / "strategies")
        if strategy_file is not None:
            shutil.copy(strategy_file, userdir / "strategies")
        with DeadlyVenue(self._exchange) as venue:
            config = home / "config.json"
            changed = self._config(name, home, venue.url, keys) | changes
            config.write_text(json.dumps(changed), encoding="utf-8")
            log = home / "freqtrade.log"
            bot = ForkedBot(self._nursery, config, userdir, log, self._environment)
            try:
                yield bot, venue
            finally:
                bot.kill()

    def trades(self, name: str) -> list[dict[str, Any]]:
        """Return the trades in a bot's database."""
        return self._table(self.folder / name / "trades.sqlite", "SELECT * FROM trades ORDER BY id")

    def claims(self, name: str) -> list[dict[str, Any]]:
        """Return the claims of a bot."""
        return self._table(self.folder / name / "trades.claims.sqlite", "SELECT * FROM claims")

    def log(self, name: str) -> str:
        """Return what a bot has logged."""
        return (self.folder / name / "freqtrade.log").read_text(encoding="utf-8")

    def _table(self, file: Path, query: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query).fetchall()]

    def _config(self, name: str, home: Path, url: str, keys: dict[str, str] | None) -> dict[str, Any]:
        pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
        return {
            "dry_run": keys is None,
            "dry_run_wallet": 100_000,
            "strategy": "ExternalSignalStrategy",
            "trading_mode": "spot",
            "timeframe": "1m",
            "stake_currency": "USDT",
            "stake_amount": 50,
            "max_open_trades": len(self.pairs),
            "initial_state": "running",
            "exchange": {
                "name": "binance",
                "enable_ws": False,
                "pair_whitelist": list(self.pairs),
                "ccxt_config": ccxt_config(url),
                **(keys or {}),
            },
            "pairlists": [{"method": "StaticPairList"}],
            "entry_pricing": pricing,
            "exit_pricing": pricing,
            "internals": {"process_throttle_secs": 1},
            "db_url": f"sqlite:///{home / 'trades.sqlite'}",
            "external_signal": {
                "strategy_id": STRATEGY,
                "consumer_id": name,
                "query_timeout_ms": 2_000,
                "claims": {"settle_seconds": SETTLE_SECONDS},
            },
        }


@contextmanager
def theatre(folder: Path, pairs: Sequence[str]) -> Iterator[Theatre]:
    """Start everything but the bots; end everything on the way out."""
    home = folder / "home"
    environment = environment_of(home)
    with ExitStack() as ending:
        server = start_server(home)
        ending.callback(stop_server, home)
        nursery = Nursery(environment)
        run_quantbus(["bus", "init"], environment)
        exchange = _start_exchange(folder, environment, pairs, ending)
        ending.enter_context(nursery)
        stage = Theatre(folder, server.uri, exchange, nursery, pairs)
        ending.callback(stage.connection.close)
        yield stage


def _start_exchange(
    folder: Path, environment: dict[str, str], pairs: Sequence[str], ending: ExitStack
) -> str:
    ready, log = folder / "exchange.json", folder / "exchange.log"
    command = [str(beside_python("quantbus")), "paper-exchange", "serve", "--port", "0", "--accounts"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--symbols", ",".join(pairs), "--ready-file", str(ready)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    ending.callback(process.wait, 30)
    ending.callback(process.terminate)
    eventually(ready.is_file, within=90, what=f"a paper exchange; read {log}")
    return str(json.loads(ready.read_text(encoding="utf-8"))["url"])
