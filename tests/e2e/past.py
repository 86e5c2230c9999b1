"""Freqtrade over a past: candles in files, signals on a real bus, the exchange for its list of markets only."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import SecretStr

from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import PublishedSignal
from quantbus_services.paper_exchange import PaperExchange
from tests.e2e.stack import ROOT, beside_python
from tests.fixtures.stored_signals import store_signals

PAIRS = ("BTC/USDT", "ETH/USDT")
BEGIN = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
BARS = 240
STRATEGY_ID = "past"


class Past:
    """A bus with a past, and Freqtrade's commands over it."""

    def __init__(self, folder: Path, uri: str, config: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.config = config
        self.data = folder / "data"
        self.ledger = folder / "ledger.jsonl"
        self.environment = environment
        self.uri = uri

    def store(self, signals: Sequence[PublishedSignal]) -> None:
        with closing(self.connect()) as connection:
            store_signals(connection, signals)

    def connect(self) -> Any:
        return connect(MongoSettings(mongo_uri=SecretStr(self.uri)), app="past", timeout_seconds=20)

    def freqtrade(
        self, command: str, *options: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of Freqtrade's with the bot's own config and userdir."""
        return subprocess.run(
            [
                *(str(beside_python("freqtrade")), command, "--userdir", str(self.folder / "user_data")),
                *("--config", str(self.config), "--datadir", str(self.data), *options),
            ],
            env={**self.environment, **(environment or {})},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def backtest(self, *options: str, strategy: str = "ExternalSignalStrategy") -> list[dict[str, Any]]:
        """Run a backtest; return its trades, oldest first."""
        results = self.folder / "results"
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir()
        done = self.freqtrade(
            *("backtesting", "--cache", "none", "--export", "trades"),
            *("--backtest-directory", str(results), *options),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (archive,) = results.glob("*.zip")
        with zipfile.ZipFile(archive) as opened:
            result = json.loads(opened.read(f"{archive.stem}.json"))
        trades = result["strategy"][strategy]["trades"]
        return sorted(trades, key=lambda trade: (trade["open_timestamp"], trade["pair"]))

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the ledger that the last backtest left, by signal."""
        lines = self.ledger.read_text(encoding="utf-8").splitlines()
        return {row["signal_id"]: row for row in map(json.loads, lines)}


@contextmanager
def running_past(folder: Path) -> Iterator[Past]:
    """Start a bus and an exchange in ``folder``; end both on the way out."""
    home = folder / "home"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("QUANTBUS_", "EXT_SIG_", "FREQTRADE"))
    } | {"QUANTBUS_HOME": str(home), "NO_PROXY": "127.0.0.1", "COLUMNS": "200"}
    with ExitStack() as ending:
        server = start_server(home)
        ending.callback(stop_server, home)
        quantbus(environment, "bus", "init")
        paper = ending.enter_context(PaperExchange(symbols=",".join(PAIRS)))
        shutil.copytree(ROOT / "executor/user_data/strategies", folder / "user_data/strategies")
        config = folder / "bot.json"
        quantbus(
            environment,
            *("executor", "config", "--venue-url", paper.url, "--pairs", ",".join(PAIRS)),
            *("--strategy-id", STRATEGY_ID, "--consumer-id", "past-bot", "--stake", "20"),
            *("--db", str(folder / "unused.sqlite"), "--out", str(config)),
        )
        past = Past(folder, server.uri, config, environment)
        made = json.loads(config.read_text(encoding="utf-8"))
        made["dataformat_ohlcv"] = "json"
        made["external_signal"]["backtest_ledger"] = str(past.ledger)
        config.write_text(json.dumps(made), encoding="utf-8")
        past.data.mkdir()
        for number, pair in enumerate(PAIRS):
            write_candles(past.data, pair, walk(BARS, seed=number))
        yield past


def quantbus(environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [str(beside_python("quantbus")), *arguments],
        env=dict(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"quantbus {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def walk(bars: int, *, seed: int, begin: datetime = BEGIN) -> pd.DataFrame:
    """Return made-up 1m candles that never come near a stop."""
    chance = np.random.default_rng(seed)
    close = 100.0 + np.cumsum(chance.uniform(-0.05, 0.05, bars))
    open_ = np.concatenate([[100.0], close[:-1]])
    dates = pd.date_range(begin, periods=bars, freq="1min").as_unit("ms")
    return pd.DataFrame(
        {
            "date": dates,
            "open": open_,
            "high": np.maximum(open_, close) + 0.01,
            "low": np.minimum(open_, close) - 0.01,
            "close": close,
            "volume": chance.uniform(5, 15, bars).round(5),
        }
    )


def write_candles(folder: Path, pair: str, frame: pd.DataFrame) -> None:
    moments = frame["date"].astype("int64").tolist()  # milliseconds, as the frame has them
    values = frame[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
    rows = [[moment, *row] for moment, row in zip(moments, values, strict=True)]
    path = folder / f"{pair.replace('/', '_')}-1m.json"
    path.write_text(json.dumps(rows), encoding="utf-8")


def opened(trade: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(trade["open_timestamp"] / 1000, tz=UTC)


def closed(trade: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(trade["close_timestamp"] / 1000, tz=UTC)
