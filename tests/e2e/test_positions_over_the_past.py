"""Weights, stops and reversals of signals in Freqtrade's own backtest, by the class that trades live."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import make_signal
from tests.e2e.past import (
    BARS,
    BEGIN,
    MINUTE,
    PAIRS,
    STRATEGY_ID,
    Past,
    closed,
    opened,
    running_past,
    walk,
    write_candles,
)
from tests.fixtures.stored_signals import as_published

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]

BTC, ETH = PAIRS
FALL = 60
"""The bar in which ETH loses a tenth."""


def at(minutes: int) -> datetime:
    return BEGIN + minutes * MINUTE


def signal(pair: str, bar: int, action: str | None = None, **fields: Any) -> PublishedSignal:
    made = make_signal(strategy_id=STRATEGY_ID, pair=pair, ts=at(bar), action=action, **fields)
    return as_published((made, at(bar + 1)))


SMALL, LARGE, LESS = (signal(BTC, bar, weight=weight) for bar, weight in ((10, 0.2), (30, 0.4), (50, 0.1)))
GONE = signal(BTC, 70, weight=0.0)
STOPPED = signal(ETH, 40, "enter_long", stop_price=97.0)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with running_past(tmp_path_factory.mktemp("past")) as running:
        running.store((SMALL, LARGE, LESS, GONE, STOPPED))
        config = json.loads(running.config.read_text(encoding="utf-8"))
        config["external_signal"].setdefault("rules", {})["drift_band"] = 0.03
        running.config.write_text(json.dumps(config), encoding="utf-8")
        candles = walk(BARS, seed=1)
        after = candles.index >= FALL
        candles.loc[after, ["open", "high", "low", "close"]] -= 5.0
        write_candles(running.data, ETH, candles)
        yield running


def test_a_backtest_resizes_positions_and_obeys_the_stops_of_signals(past: Past) -> None:
    trades = {trade["pair"]: trade for trade in past.backtest("--timerange", "20260105-20260106")}
    by_weight = trades[BTC]
    assert (by_weight["enter_tag"], opened(by_weight), closed(by_weight)) == (SMALL.signal_id, at(11), at(71))
    orders = [
        (order["ft_is_entry"], order["order_filled_timestamp"], order["cost"])
        for order in by_weight["orders"]
    ]
    assert [entry for entry, _, _ in orders] == [True, True, False, False]
    moments = [moment / 1000 for _, moment, _ in orders]
    assert moments == [at(bar).timestamp() for bar in (11, 31, 51, 71)], "at the first open after each signal"
    capital = 990.0
    costs = [cost / capital for _, _, cost in orders[:3]]
    assert costs == [pytest.approx(share, rel=0.05) for share in (0.2, 0.2, 0.3)]

    stopped = trades[ETH]
    assert stopped["enter_tag"] == STOPPED.signal_id
    assert closed(stopped) == at(FALL)
    assert stopped["exit_reason"] in ("stop_loss", "trailing_stop_loss")
    assert stopped["stop_loss_abs"] == pytest.approx(97.0, rel=1e-4)
    fates = {name: (row["state"], row["reason"]) for name, row in past.rows().items()}
    assert fates[LARGE.signal_id] == fates[LESS.signal_id] == ("filled", "resized")
    assert fates[GONE.signal_id] == ("filled", "exit_signal")
