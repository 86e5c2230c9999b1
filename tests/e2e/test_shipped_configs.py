"""The configs that ship: judged by Freqtrade's own rules, and traded with real orders at the paper exchange."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ccxt
import httpx
import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.embedded import start_server
from quantbus_contracts.schema import Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_executor.checking.strategy_file import find_strategy
from quantbus_executor.configs.explained import SHIPPED
from quantbus_executor.configs.reading import merged_config, read_config
from quantbus_services.paper_exchange import ccxt_config
from tests.e2e.stack import (
    Bus,
    environment_of,
    last_closed,
    make_bot,
    run_quantbus,
    start_exchange,
)
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

USERDIR = Path(__file__).resolve().parents[2] / "executor/user_data"
VARIABLES = {
    "FREQTRADE__STAKE_AMOUNT": "12.5",
    "FREQTRADE__EXCHANGE__KEY": "123",
    "FREQTRADE__EXCHANGE__CCXT_CONFIG__enableRateLimit": "false",
    "FREQTRADE__EXCHANGE__PAIR_WHITELIST": '["ETH/USDT"]',
    "FREQTRADE__API_SERVER__PASSWORD": "0123",
}
# In a process of its own: Freqtrade's imports take seconds, warn, and set up logging.
JUDGE = """
import json, logging, sys
logging.disable()
from freqtrade.configuration.config_validation import validate_config_consistency
from freqtrade.configuration.environment_vars import environment_vars_to_dict
from freqtrade.configuration.load_config import load_from_files
from freqtrade.enums import RunMode
from freqtrade.exceptions import ConfigurationError
from freqtrade.misc import deep_merge_dicts

asked = json.load(sys.stdin)
verdicts = {}
for name, config in asked["judge"].items():
    mode = RunMode.DRY_RUN if config["dry_run"] else RunMode.LIVE
    try:
        validate_config_consistency(config | {"runmode": mode})
        verdicts[name] = "ok"
    except ConfigurationError as error:
        verdicts[name] = str(error)
merged = deep_merge_dicts(environment_vars_to_dict(), load_from_files(asked["merge"]))
merged.pop("config_files")
print(json.dumps({"verdicts": verdicts, "merged": merged}))
"""


def with_strategy(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config as Freqtrade validates it: what the class says lies beneath."""
    strategy = find_strategy("ExternalSignalStrategy", [USERDIR / "strategies"])
    assert strategy is not None
    return {**strategy.attributes, **config}


def test_freqtrade_itself_takes_what_ships_and_merges_as_we_do(tmp_path: Path) -> None:
    shipped = {name: with_strategy(merged_config([USERDIR / name], {})) for name in SHIPPED}
    same_side = {"price_side": "same", "use_order_book": True}
    broken = {
        "market orders on the wrong side": shipped["config.live.json"] | {"entry_pricing": same_side},
        "no stake": {
            key: value for key, value in shipped["config.live.json"].items() if key != "stake_amount"
        },
    }
    (tmp_path / "more.json").write_text('{"exchange": {"key": "from-file", "extra": [1]}, "list": [1]}')
    first = tmp_path / "first.json"
    first.write_text(
        '{"add_config_files": ["more.json"], // why\n "list": [2, 3,], "exchange": {"name": "kraken"}}'
    )
    second = tmp_path / "second.json"
    second.write_text('{"exchange": {"name": "binance", /* } */ "url": "http://x//y"}, "stake_amount": 1}')
    files = [first, second, USERDIR / "config.live.json"]

    kept = {name: value for name, value in os.environ.items() if not name.startswith("FREQTRADE")}
    done = subprocess.run(
        [sys.executable, "-c", JUDGE],
        input=json.dumps({"judge": shipped | broken, "merge": [str(file) for file in files]}),
        env=kept | VARIABLES,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    assert {
        name: verdict for name, verdict in answer["verdicts"].items() if name in SHIPPED
    } == dict.fromkeys(SHIPPED, "ok")
    assert all(answer["verdicts"][name] != "ok" for name in broken)
    ours = merged_config(files, VARIABLES)
    assert {**answer["merged"], "add_config_files": None} == {**ours, "add_config_files": None}


class Account:
    """An account at the paper exchange, and the bot that trades it by the config that ships."""

    def __init__(self, folder: Path, venue: str, home: Path, *, futures: bool) -> None:
        self.pair = "BTC/USDT:USDT" if futures else "BTC/USDT"
        self.strategy_id = "swaps" if futures else "spot"
        asked = {"name": self.strategy_id, "spot": {"USDT": "1000"}, "futures": {"USDT": "1000"}}
        (key,) = httpx.post(f"{venue}/paper/accounts", json=asked).raise_for_status().json()["keys"]
        self.environment = environment_of(home) | {
            "FREQTRADE__EXCHANGE__KEY": key["api_key"],
            "FREQTRADE__EXCHANGE__SECRET": key["secret"],
            "EXT_SIG_STRATEGY_ID": self.strategy_id,
            "EXT_SIG_CONSUMER_ID": f"live-{self.strategy_id}",
        }
        options = ("--live", *(["--futures"] if futures else []))
        self.bot = make_bot(folder, venue, self.environment, *options, pairs=(self.pair,))
        self.config = folder / "bot.json"
        shipped = read_config(USERDIR / ("config.live-futures.json" if futures else "config.live.json"))
        kept = {name: shipped[name] for name in ("stake_amount", "available_capital")}
        self.config.write_text(json.dumps(read_config(self.config) | kept), encoding="utf-8")
        config: dict[str, Any] = {"apiKey": key["api_key"], "secret": key["secret"], **ccxt_config(venue)}
        self.exchange = ccxt.binance(config | {"options": {"defaultType": "swap" if futures else "spot"}})

    def stops(self) -> list[Any]:
        """Return the stops that lie at the exchange now."""
        if self.pair.endswith(":USDT"):
            rows = self.exchange.fapiprivate_get_openalgoorders({"symbol": "BTCUSDT"})
            return list(rows)
        return [order for order in self.exchange.fetch_open_orders(self.pair) if order["triggerPrice"]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bus") / "home"


@pytest.fixture(scope="module")
def bus(home: Path) -> Iterator[Bus]:
    bus = Bus(start_server(home))
    run_quantbus(["bus", "init"], environment_of(home))
    signals = SignalBus(bus.connection, publisher="e2e")
    for name, kind, pair in (("spot", "spot", "BTC/USDT"), ("swaps", "swap", "BTC/USDT:USDT")):
        signals.declare(
            Strategy(
                strategy_id=name,
                venue="BINANCE",
                market_type=kind,
                timeframe="1m",
                pairs=(pair,),
                cadence_bars=None,
            )
        )
    yield bus
    bus.close()


@pytest.fixture(scope="module")
def accounts(bus: Bus, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Account]]:
    """Start both bots at once: most of what they take is their own start."""
    with ExitStack() as ending:
        folder = tmp_path_factory.mktemp("venue")
        venue = start_exchange(folder, environment_of(home), ending, "--accounts")
        made = {
            "futures" if futures else "spot": Account(
                tmp_path_factory.mktemp("live"), venue, home, futures=futures
            )
            for futures in (False, True)
        }
        for account in made.values():
            ending.callback(account.bot.stop)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda account: account.bot.start(), made.values()))
        yield made


@pytest.mark.parametrize("market", ["spot", "futures"])
def test_a_live_bot_of_the_config_that_ships_trades_with_its_stop_at_the_exchange(
    accounts: dict[str, Account], bus: Bus, market: str
) -> None:
    account = accounts[market]
    run_quantbus(["executor", "check", "--config", str(account.config)], account.environment)
    signals = SignalBus(bus.connection, publisher="e2e")

    bar = last_closed()

    def publish(action: str) -> Signal:
        signal = make_signal(strategy_id=account.strategy_id, pair=account.pair, action=action, ts=bar)
        assert signals.publish([signal]).ok
        return signal

    entry = publish("enter_short" if market == "futures" else "enter_long")
    trade = account.bot.trade_of(account.pair, entry.signal_id, within=60)
    assert trade["is_short"] == (market == "futures")
    assert bus.end_of(entry).state == "filled"
    eventually(account.stops, within=30, what="a stop at the exchange")
    publish("exit_short" if market == "futures" else "exit_long")
    closed = account.bot.await_closed(account.pair, within=60)
    assert str(closed["exit_reason"]).startswith("revised:")
    eventually(lambda: not account.stops(), within=30, what="the stop to be taken off the exchange")
    assert "Traceback" not in account.bot.log.read_text(encoding="utf-8")
