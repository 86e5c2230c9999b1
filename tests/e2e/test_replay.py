"""`quantbus replay` over one past: backtest and simulated loop, with the real bot, and over recorded bars."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.schema import Candle, PublishedSignal, Strategy
from quantbus_contracts.testing import make_signal
from tests.e2e.past import BEGIN, MINUTE, PAIRS, SECOND, STRATEGY_ID, Past, running_past, walk
from tests.e2e.stack import ROOT, beside_python
from tests.fixtures.stored_signals import as_published

pytestmark = [pytest.mark.timeout(1_500)]

BTC, ETH = PAIRS
START = BEGIN + 30 * MINUTE


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with running_past(tmp_path_factory.mktemp("replay")) as running:
        for number, pair in enumerate(PAIRS):
            store_candles(running, pair, walk(180, seed=number))
        declare(running, STRATEGY_ID)
        yield running


def declare(past: Past, strategy_id: str) -> None:
    with closing(past.connect()) as connection:
        SignalBus(connection, publisher="e2e").declare(
            Strategy(strategy_id=strategy_id, venue="BINANCE", timeframe="1m", pairs=PAIRS, cadence_bars=None)
        )


def store_candles(past: Past, pair: str, frame: pd.DataFrame) -> None:
    candles = [
        Candle(
            symbol=f"BINANCE:{pair.replace('/', '')}",
            timeframe="1m",
            open_time=bar["date"].to_pydatetime(),
            source="e2e",
            **{name: bar[name] for name in ("open", "high", "low", "close", "volume")},
        )
        for bar in frame.to_dict("records")
    ]
    with closing(past.connect()) as connection:
        CandleWriter(connection).write(candles)


def signal(
    pair: str,
    bar: int,
    action: str | None,
    delay: float = 0,
    *,
    strategy_id: str = STRATEGY_ID,
    **fields: Any,
) -> PublishedSignal:
    """Return a signal of a bar, counted from the start, that stood ``delay`` seconds after its close."""
    made = make_signal(strategy_id=strategy_id, pair=pair, ts=START + bar * MINUTE, action=action, **fields)
    return as_published((made, START + (bar + 1) * MINUTE + delay * SECOND))


def replay(
    past: Past,
    folder: Path,
    end: datetime,
    *options: str,
    start: datetime = START,
    strategy: str = STRATEGY_ID,
) -> dict[str, Any]:
    """Run the command; return its report."""
    done = subprocess.run(
        [
            *(str(beside_python("quantbus")), "replay", "--strategy", strategy, "--config", str(past.config)),
            *("--from", start.isoformat(), "--to", end.isoformat(), "--out", str(folder), "--json"),
            *options,
        ],
        env=past.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1_400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-4_000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def kinds(report: dict[str, Any], left: str) -> set[str]:
    (comparison,) = [item for item in report["comparisons"] if item["left"] == left]
    return {difference["kind"] for difference in comparison["differences"]}


@pytest.mark.e2e
def test_backtest_and_simulated_loop_differ_in_named_ways_only(past: Past, tmp_path: Path) -> None:
    past.store(
        [
            *(signal(BTC, 2, "enter_long"), signal(BTC, 10, "exit_long", 5)),
            *(signal(BTC, 15, "enter_long", 30), signal(BTC, 17, "exit_long", 0.5)),
            *(signal(BTC, 40, "enter_long", 90), signal(BTC, 45, "enter_long", 30)),
            *(signal(ETH, 20, "enter_short"), signal(ETH, 25, "enter_long", 100)),
            *(signal(ETH, 50, None, score=0.8), signal(ETH, 65, None, score=-0.3)),
        ]
    )
    report = replay(past, tmp_path / "out", START + 80 * MINUTE)
    assert kinds(report, "backtest") == {"intra_bar", "consequence", "price"}
    assert report["leaks"] == []
    own = list((tmp_path / "out").glob("**/user_data/backtest_results"))
    assert own, "Freqtrade makes its folders in ours: those of a checkout or an image are not its to write"
    runs = report["runs"]
    assert [len(run["trades"]) for run in runs.values()] == [4, 4], "one of each that the other cannot make"
    assert runs["backtest"]["trades"][0]["opened_at"] == (START + 3 * MINUTE).isoformat()


@pytest.mark.soak  # it takes as many minutes as it has bars
def test_the_real_bot_decides_as_the_simulated_loop_does(past: Past, tmp_path: Path) -> None:
    declare(past, "lived")
    past.store(
        [
            signal(BTC, 0, "enter_long", 1, strategy_id="lived"),
            signal(BTC, 2, "exit_long", 10, strategy_id="lived"),
            signal(ETH, 0, "enter_short", 2, strategy_id="lived"),
            signal(ETH, 1, "enter_long", 20, strategy_id="lived"),
            signal(ETH, 3, "exit_long", 1, strategy_id="lived"),
        ]
    )
    report = replay(past, tmp_path / "out", START + 6 * MINUTE, "--speed", "1", strategy="lived")
    assert [len(run["trades"]) for run in report["runs"].values()] == [2, 2, 2]
    assert kinds(report, "simulated") <= {"price", "late_loop"}
    ledgers = [report["runs"][name]["ledger"] for name in ("simulated", "dry_run")]
    assert ledgers[0] == ledgers[1]


@pytest.mark.proof
def test_recorded_bars_give_the_same_decisions_twice(past: Past, tmp_path: Path, shared_data: Path) -> None:
    bars = pd.read_parquet(shared_data / "ohlcv/1m/BINANCE_BTCUSDT_1m.parquet")
    start = datetime.fromisoformat("2024-08-05T00:00:00+00:00")
    chosen = bars[(bars["ts"] >= start - 30 * MINUTE) & (bars["ts"] < start + timedelta(hours=12))]
    store_candles(past, BTC, chosen.rename(columns={"ts": "date"}))
    declare(past, "recorded")
    inside = chosen[chosen["ts"] >= start].reset_index(drop=True)
    moves = inside["close"].pct_change(15)
    past.store(
        [
            as_published(
                (
                    make_signal(
                        strategy_id="recorded",
                        pair=BTC,
                        ts=inside["ts"][row].to_pydatetime(),
                        action="enter_long" if moves[row] > 0 else "exit_long",
                    ),
                    inside["ts"][row].to_pydatetime() + MINUTE + (row * 7 % 80) * SECOND,
                )
            )
            for row in range(20, len(inside) - 5, 5)
        ]
    )
    asked = {"start": start, "strategy": "recorded"}
    first, again = (
        replay(past, tmp_path / name, start + timedelta(hours=12), "--pairs", BTC, **asked)  # type: ignore[arg-type]
        for name in ("first", "again")
    )
    assert first["runs"] == again["runs"]
    assert first["comparisons"] == again["comparisons"]
    assert len(first["runs"]["backtest"]["trades"]) > 10
