"""What the shadow said beside the live strategy, bar by bar."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import PublishRun, Strategy
from quantbus_contracts.testing import FakeSignalStore, FakeStrategyStore, FrozenClock, make_signal
from quantbus_research.costs import CostModel
from quantbus_research.workflows import (
    Comparison,
    Outcome,
    Terms,
    Voice,
    backtest_signals,
    compare_voices,
    read_voices,
)
from tests.unit.research.panels import BTC, ETH, MINUTE, START, make_panel

BARS = 60
PANEL = make_panel(BARS)
SYMBOLS = {"BTC/USDT": BTC, "ETH/USDT": ETH}
ENTER, EXIT = {"action": "enter_long"}, {"action": "exit_long"}


class Past:
    """A bus on which two strategies spoke."""

    def __init__(self) -> None:
        self.clock = FrozenClock(START)
        self.signals = FakeSignalStore(clock=self.clock)
        self.strategies = FakeStrategyStore()

    def speaks(
        self,
        strategy_id: str,
        said: Mapping[int, dict[str, Any]],
        *,
        bars: range = range(BARS),
        pair: str = "BTC/USDT",
        pairs: tuple[str, ...] = ("BTC/USDT",),
    ) -> None:
        declared = Strategy(strategy_id=strategy_id, venue="BINANCE", timeframe="1m", pairs=pairs)
        self.strategies.declare(declared)
        for bar in bars:
            ts = START + bar * MINUTE.delta
            self.clock.set(MINUTE.close_of(ts) + timedelta(seconds=1))
            if bar in said:
                told = {"action": None, "weight": None, "score": None, "origin": "live"} | said[bar]
                names = {"strategy_id": strategy_id, "timeframe": "1m", "pair": pair, "symbol": SYMBOLS[pair]}
                self.signals.publish([make_signal(ts=ts, valid_until=None, **names, **told)])
            run = PublishRun(
                strategy_id=strategy_id,
                timeframe="1m",
                ts=ts,
                evaluated_at=self.clock.now(),
                pairs_evaluated=2,
                signals=int(bar in said),
            )
            self.signals.record_run(run)

    def compared(self, *, traded: bool = False) -> Comparison:
        end = START + timedelta(days=2)
        voices = read_voices(self.signals, self.strategies, "demo", "demo.shadow", START, end)
        return compare_voices(*voices, follow if traded else (lambda _, pairs: some_outcome()))


def follow(voice: Voice, pairs: int) -> Outcome:
    terms = Terms(costs=CostModel(fee_rate=0.001), is_shared=True, stake=1.0 / pairs)
    return backtest_signals(voice.signals, PANEL, MINUTE, terms, title="Test")


@cache
def some_outcome() -> Outcome:
    """Return one, where it does not matter which; each draws pictures."""
    past = Past()
    past.speaks("demo", {10: ENTER})
    past.speaks("demo.shadow", {})
    voices = read_voices(
        past.signals, past.strategies, "demo", "demo.shadow", START, START + timedelta(days=2)
    )
    return follow(voices[0], 1)


@pytest.fixture
def past() -> Past:
    return Past()


def test_words_sides_and_entries_are_compared_bar_by_bar(past: Past) -> None:
    past.speaks("demo", {10: ENTER, 20: EXIT, 30: ENTER, 40: EXIT})
    past.speaks("demo.shadow", {10: ENTER, 22: EXIT, 50: ENTER})
    found = past.compared()
    (pair,) = found.pairs
    assert pair.bars == BARS
    assert pair.same_word == BARS - 5, "20, 22, 30, 40 and 50 differ"
    assert pair.same_side == BARS - 2 - 10 - 10, "20-21, 30-39 and 50-59"
    assert (pair.entries_of_both, pair.entries_of_live_only, pair.entries_of_shadow_only) == (1, 1, 1)
    assert [(entry.bar, entry.strategy_id) for entry in found.entries] == [
        (START + 30 * MINUTE.delta, "demo"),
        (START + 50 * MINUTE.delta, "demo.shadow"),
    ]


def test_only_bars_that_both_were_evaluated_for_count(past: Past) -> None:
    past.speaks("demo", {5: ENTER, 25: ENTER, 55: EXIT})
    past.speaks("demo.shadow", {25: ENTER}, bars=range(20, 50))
    found = past.compared()
    assert (found.bars[0], found.bars[-1]) == (START + 20 * MINUTE.delta, START + 49 * MINUTE.delta)
    assert [row.signal.ts for row in found.live.signals] == [START + 25 * MINUTE.delta]
    assert (found.pairs[0].same_word, found.entries) == (30, ())


def test_following_each_is_a_backtest_after_costs(past: Past) -> None:
    past.speaks("demo", {10: ENTER, 20: EXIT})
    past.speaks("demo.shadow", {10: ENTER, 30: EXIT})
    found = past.compared(traded=True)
    assert found.live_result is not None
    assert found.shadow_result is not None
    opens = PANEL.loc[BTC]["open"]
    for result, left in ((found.live_result, 22), (found.shadow_result, 32)):
        (trade,) = result.backtest.trades.to_dict("records")
        gained = (opens.iloc[left] * 0.999) / (opens.iloc[12] * 1.001) - 1
        assert trade["profit_ratio"] == pytest.approx(gained)
    assert "demo made 1 trades: too few to prefer anything for its result" in found.remarks
    told = found.as_dict()
    assert told["bars"] == BARS
    assert told["entries_of_one"] == []


def test_scores_are_compared_where_both_spoke(past: Past) -> None:
    past.speaks("demo", {bar: {**ENTER, "score": bar / 100} for bar in (10, 20, 30, 40)})
    past.speaks("demo.shadow", {bar: {**ENTER, "score": bar / 50 - 0.5} for bar in (10, 20, 30)})
    found = past.compared()
    assert found.score_correlation == pytest.approx(1.0)
    assert found.scores_compared == 3
    silent = Past()
    silent.speaks("demo", {10: {**ENTER, "score": 0.5}})
    silent.speaks("demo.shadow", {})
    quiet = silent.compared()
    assert (quiet.score_correlation, quiet.scores_compared, quiet.shadow_result) == (None, 0, None)
    assert "demo.shadow said nothing live, so there is nothing to follow" in quiet.remarks


def test_weights_enter_where_the_side_changes_and_differ_where_they_do(past: Past) -> None:
    past.speaks("demo", {10: {"weight": 0.5}, 20: {"weight": 0.5}, 30: {"weight": 0.0}})
    past.speaks("demo.shadow", {10: {"weight": 0.25}, 20: {"weight": 0.5}, 30: {"weight": 0.0}})
    (pair,) = past.compared().pairs
    assert (pair.same_word, pair.same_side, pair.entries_of_both) == (BARS - 1, BARS, 1)


def test_what_was_said_afterwards_is_left_out_and_counted(past: Past) -> None:
    past.speaks("demo", {10: ENTER})
    past.speaks("demo.shadow", {10: {**ENTER, "origin": "backfill"}})
    found = past.compared()
    assert found.shadow.signals == ()
    assert "1 rows of demo.shadow were said afterwards and are left out" in found.remarks


def test_where_no_shadow_ever_spoke_it_is_said_what_to_do(past: Past) -> None:
    with pytest.raises(ConfigError, match="found no 'demo'"):
        past.compared()
    past.speaks("demo", {10: ENTER})
    with pytest.raises(ConfigError, match=r"no 'demo\.shadow' ever spoke; start one with .*--shadow staging"):
        past.compared()
    past.speaks("demo.shadow", {}, bars=range(0))
    with pytest.raises(ConfigError, match=r"demo\.shadow was evaluated for no bar then"):
        past.compared()
    past.speaks("demo.shadow", {}, bars=range(70, 75))
    with pytest.raises(ConfigError, match="found 5 of the shadow and none of them of the other"):
        past.compared()
    past.speaks("demo.shadow", {}, pairs=("ETH/USDT",))
    with pytest.raises(ConfigError, match="expected a shadow on the bars of demo"):
        past.compared()
