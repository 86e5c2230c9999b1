"""Freqtrade's backtest with the shipped strategy over real candles: a bus with signals, a list of markets, files."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import SecretStr

from quantbus_contracts.embedded import start_server, stop_server
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import PublishedSignal
from quantbus_services.paper_exchange import PaperExchange
from tests.e2e.stack import ROOT, beside_python
from tests.fixtures.stored_signals import store_signals

STRATEGY_ID = "agreement"
STAKE, CAPITAL, FEE = 2_000.0, 100_000.0, 0.001


@dataclass
class Bench:
    """A bus and an exchange that lists markets, for as many backtests as one likes."""

    folder: Path
    uri: str
    venue_url: str
    environment: dict[str, str]

    def backtest(
        self,
        signals: Sequence[PublishedSignal],
        candles: Mapping[str, pd.DataFrame],
        timeframe: str,
        *,
        funding: Mapping[str, pd.Series] | None = None,
        rules: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return Freqtrade's trades; ``candles`` by pair, perpetuals where the pair says so."""
        settings = MongoSettings(mongo_uri=SecretStr(self.uri))
        with closing(connect(settings, app="bench", timeout_seconds=20)) as connection:
            connection.client[connection.names.of("crypto_signals")]["crypto_signals"].delete_many({})
            store_signals(connection, signals)
        data = self.folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        (data / "futures").mkdir(parents=True)
        for pair, frame in candles.items():
            _write(data, pair, timeframe, frame, (funding or {}).get(pair))
        config = self._config(candles, timeframe, rules or {})
        results = self.folder / "results"
        shutil.rmtree(results, ignore_errors=True)
        results.mkdir()
        self._run(
            *("freqtrade", "backtesting", "--config", str(config), "--datadir", str(data)),
            *("--userdir", str(self.folder / "user_data"), "--cache", "none", "--export", "trades"),
            *("--backtest-directory", str(results), "--fee", str(FEE)),
        )
        (archive,) = results.glob("*.zip")
        with zipfile.ZipFile(archive) as opened:
            told = json.loads(opened.read(f"{archive.stem}.json"))["strategy"]["ExternalSignalStrategy"]
        trades = pd.DataFrame(told["trades"])
        trades["opened_at"] = pd.to_datetime(trades["open_timestamp"], unit="ms", utc=True)
        trades["closed_at"] = pd.to_datetime(trades["close_timestamp"], unit="ms", utc=True)
        return trades.sort_values(["opened_at", "pair"], ignore_index=True)

    def _config(self, pairs: Mapping[str, object], timeframe: str, rules: Mapping[str, Any]) -> Path:
        out = self.folder / "bot.json"
        futures = ["--futures"] if any(":" in pair for pair in pairs) else []
        self._run(
            *("quantbus", "executor", "config", "--venue-url", self.venue_url, "--pairs", ",".join(pairs)),
            *("--strategy-id", STRATEGY_ID, "--consumer-id", "bench", "--stake", str(STAKE)),
            *("--capital", str(CAPITAL), "--max-open-trades", str(len(pairs)), "--timeframe", timeframe),
            *("--db", str(self.folder / "unused.sqlite"), "--out", str(out), *futures),
        )
        made = json.loads(out.read_text(encoding="utf-8"))
        made |= {"dataformat_ohlcv": "json", "stoploss": -0.99, "dry_run_wallet": CAPITAL}
        made["external_signal"].setdefault("rules", {}).update(rules)
        out.write_text(json.dumps(made), encoding="utf-8")
        return out

    def _run(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(beside_python(command)), *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@contextmanager
def running_bench(folder: Path, coins: Sequence[str]) -> Iterator[Bench]:
    """Start a bus and an exchange; end both on the way out."""
    home = folder / "home"
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("QUANTBUS_", "EXT_SIG_"))
    }
    environment = clean | {"QUANTBUS_HOME": str(home), "NO_PROXY": "127.0.0.1", "COLUMNS": "200"}
    with ExitStack() as ending:
        server = start_server(home)
        ending.callback(stop_server, home)
        paper = ending.enter_context(PaperExchange(symbols=",".join(f"{coin}/USDT" for coin in coins)))
        shutil.copytree(ROOT / "executor/user_data/strategies", folder / "user_data/strategies")
        bench = Bench(folder, server.uri, paper.url, environment)
        bench._run("quantbus", "bus", "init")
        yield bench


def _write(data: Path, pair: str, timeframe: str, frame: pd.DataFrame, funding: pd.Series | None) -> None:
    name = pair.replace("/", "_").replace(":", "_")
    if ":" not in pair:
        _save(data / f"{name}-{timeframe}.json", frame)
        return
    folder = data / "futures"
    _save(folder / f"{name}-{timeframe}-futures.json", frame)
    hourly = frame.resample("1h").agg(
        {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    )
    _save(folder / f"{name}-1h-mark.json", hourly)
    rates = pd.Series(0.0, index=hourly.index)
    if funding is not None:
        rates = rates.add(funding.reindex(hourly.index).fillna(0.0))
    _save(
        folder / f"{name}-1h-funding_rate.json",
        hourly.assign(open=rates, high=0.0, low=0.0, close=0.0, volume=0.0),
    )


def _save(path: Path, frame: pd.DataFrame) -> None:
    columns = frame[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
    moments = pd.DatetimeIndex(frame.index).as_unit("ms").asi8.tolist()
    rows = [[moment, *row] for moment, row in zip(moments, columns, strict=True)]
    path.write_text(json.dumps(rows), encoding="utf-8")
