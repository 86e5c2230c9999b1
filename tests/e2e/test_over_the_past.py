"""Freqtrade's backtest, hyperopt and lookahead-analysis with the bot's own class, over signals on a real bus."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import make_signal
from quantbus_executor.backtest.causality import leaks
from tests.e2e.past import BEGIN, MINUTE, PAIRS, SECOND, STRATEGY_ID, Past, closed, opened, running_past
from tests.fixtures.stored_signals import as_published

pytestmark = [pytest.mark.timeout(400)]

BTC, ETH = PAIRS
RANGE = ("--timerange", "20260105-20260106")
LEAKY = '''
from datetime import timedelta

import pandas as pd
from freqtrade.strategy import IStrategy


class Leaky(IStrategy):
    """Joins the rows of the bus to the bar before their own, as a careless reader does."""

    timeframe = "1m"
    minimal_roi = {"0": 10}
    stoploss = -0.5
    order_types = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}

    def populate_indicators(self, frame, metadata):
        rows = pd.read_json(self.config["leak_rows"], dtype=False)
        rows["date"] = pd.to_datetime(rows["ts"], utc=True).astype(frame["date"].dtype) - timedelta(minutes=1)
        return frame.merge(rows[rows["pair"] == metadata["pair"]][["date", "action", "id"]], on="date", how="left")

    def populate_entry_trend(self, frame, metadata):
        entry = frame["action"] == "enter_long"
        frame["enter_long"] = entry.astype(int)
        frame["enter_tag"] = frame["id"].where(entry, None)
        return frame

    def populate_exit_trend(self, frame, metadata):
        frame["exit_long"] = (frame["action"] == "exit_long").astype(int)
        return frame
'''


def at(minutes: float) -> datetime:
    return BEGIN + minutes * MINUTE


def signal(pair: str, bar: int, action: str | None, delay: float = 0, **fields: Any) -> PublishedSignal:
    """Return a signal of a bar that stands on the bus ``delay`` seconds after the bar's close."""
    made = make_signal(strategy_id=STRATEGY_ID, pair=pair, ts=at(bar), action=action, **fields)
    return as_published((made, at(bar + 1) + delay * SECOND))


ON_TIME = signal(BTC, 10, "enter_long")
LEFT = signal(BTC, 20, "exit_long", 5)
IN_THE_BAR = signal(BTC, 30, "enter_long", 30)
REVISED = as_published(
    (make_signal(strategy_id=STRATEGY_ID, pair=BTC, ts=at(40), action="enter_long"), at(41.2)),
    (make_signal(strategy_id=STRATEGY_ID, pair=BTC, ts=at(40), action="exit_long"), at(45.5)),
)
TOO_LATE = signal(BTC, 60, "enter_long", 3_600)
SHORT = signal(ETH, 15, "enter_short")
BY_SCORE = signal(ETH, 50, None, score=0.7)
SCORE_GONE = signal(ETH, 70, None, score=-0.1)
LOW_SCORE = signal(ETH, 90, None, score=0.3)
LOW_SCORE_GONE = signal(ETH, 100, None, score=-0.3)
ALL = (
    *(ON_TIME, LEFT, IN_THE_BAR, REVISED, TOO_LATE),
    *(SHORT, BY_SCORE, SCORE_GONE, LOW_SCORE, LOW_SCORE_GONE),
)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with running_past(tmp_path_factory.mktemp("past")) as running:
        running.store(ALL)
        yield running


@dataclass(frozen=True)
class Facts:
    pair: str
    enter_tag: str | None
    opened_at: datetime
    exit_reason: str | None
    closed_at: datetime | None

    @classmethod
    def of(cls, trade: dict[str, Any]) -> "Facts":
        return cls(trade["pair"], trade["enter_tag"], opened(trade), trade["exit_reason"], closed(trade))


@pytest.mark.e2e
def test_a_backtest_trades_what_stood_on_the_bus_at_each_open_and_tells_of_the_rest(past: Past) -> None:
    trades = past.backtest(*RANGE)
    assert [(t["enter_tag"], opened(t), closed(t), t["exit_reason"]) for t in trades] == [
        (ON_TIME.signal_id, at(11), at(22), f"exit_signal:{LEFT.signal_id}"),
        (IN_THE_BAR.signal_id, at(32), at(46), f"exit_signal:{REVISED.signal_id}"),
        (BY_SCORE.signal_id, at(51), at(71), f"exit_signal:{SCORE_GONE.signal_id}"),
    ]
    assert leaks([Facts.of(trade) for trade in trades], {item.signal_id: item for item in ALL}) == []
    rows = past.rows()
    fates = {item.signal_id: (row["state"], row["reason"]) for item in ALL if (row := rows[item.signal_id])}
    assert fates[ON_TIME.signal_id] == ("filled", None)
    assert fates[TOO_LATE.signal_id] == ("refused", "stale")
    assert fates[SHORT.signal_id] == ("refused", "spot_short")
    assert fates[LOW_SCORE.signal_id] == ("refused", "below_threshold")
    assert rows[ON_TIME.signal_id]["price"] == pytest.approx(trades[0]["open_rate"])


@pytest.mark.e2e
def test_a_backtest_without_the_bus_is_an_error(past: Past) -> None:
    nowhere = {"EXT_SIG_MONGO_URI": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=2000"}
    done = past.freqtrade("backtesting", "--cache", "none", *RANGE, environment=nowhere)
    assert done.returncode != 0
    assert "BusUnavailable" in done.stderr


@pytest.mark.e2e
def test_freqtrades_own_analysis_finds_no_lookahead(past: Past) -> None:
    table = past.folder / "lookahead.csv"
    done = past.freqtrade(
        *("lookahead-analysis", *RANGE, "--minimum-trade-amount", "2", "--targeted-trade-amount", "3"),
        *("--lookahead-analysis-exportfilename", str(table)),
    )
    assert done.returncode == 0, done.stderr
    assert table.read_text().splitlines()[-1].split(",")[2:4] == ["False", "3"]


@pytest.mark.proof
def test_a_leak_that_freqtrades_analysis_cannot_see_is_caught_by_ours(past: Past, tmp_path: Path) -> None:
    leaky = Past(tmp_path, past.uri, tmp_path / "leaky.json", past.environment)
    shutil.copytree(past.data, leaky.data)
    strategies = tmp_path / "user_data/strategies"
    strategies.mkdir(parents=True)
    (strategies / "Leaky.py").write_text(LEAKY, encoding="utf-8")
    planted = (ON_TIME, LEFT, signal(BTC, 50, "enter_long"), signal(BTC, 60, "exit_long"))
    rows = [
        {
            "ts": item.signal.ts.isoformat(),
            "pair": item.signal.pair,
            "action": item.signal.action,
            "id": item.signal_id,
        }
        for item in planted
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    config = json.loads(past.config.read_text(encoding="utf-8"))
    config |= {"strategy": "Leaky", "leak_rows": str(tmp_path / "rows.json")}
    leaky.config.write_text(json.dumps(config), encoding="utf-8")

    table = tmp_path / "lookahead.csv"
    done = leaky.freqtrade(
        *("lookahead-analysis", *RANGE, "--minimum-trade-amount", "1", "--targeted-trade-amount", "2"),
        *("--lookahead-analysis-exportfilename", str(table)),
    )
    assert done.returncode == 0, done.stderr
    assert table.read_text().splitlines()[-1].split(",")[2] == "False", "their analysis compares runs only"
    trades = [Facts.of(trade) for trade in leaky.backtest(*RANGE, strategy="Leaky")]
    found = leaks(trades, {item.signal_id: item for item in planted})
    assert [(leak.what, leak.signal_id) for leak in found] == [
        ("opened", planted[0].signal_id),
        ("opened", planted[2].signal_id),
    ]
    assert str(found[0]).startswith("BTC/USDT opened at 2026-01-05T12:10:00+00:00 0:01:00 too early")


@pytest.mark.proof
def test_hyperopt_with_two_workers_finds_parameters_of_ours(past: Past) -> None:
    done = past.freqtrade(
        *("hyperopt", "-j", "2", "-e", "6", "--spaces", "buy", "sell", *RANGE, "--min-trades", "1"),
        *("--hyperopt-loss", "OnlyProfitHyperOptLoss", "--disable-param-export", "--random-state", "1"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = (past.folder / "user_data/hyperopt_results").glob("*.fthypt")
    epochs = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines()]
    assert len(epochs) == 6
    assert set(epochs[0]["params_dict"]) == {
        *("tolerance_bars", "score_entry", "score_band", "scale_floor", "scale_full_at"),
    }
    trades = {epoch["results_metrics"]["total_trades"] for epoch in epochs}
    assert len(trades) > 1, "other thresholds trade other signals"
    assert 0 not in trades
