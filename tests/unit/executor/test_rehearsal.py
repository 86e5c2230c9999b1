"""A run over the past sees at each moment what the bus showed then, and never one bar more."""

import pickle
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.policy import Confidence, SoftScale, TradingRules, entry_interval
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.backtest.archive import Archive
from quantbus_executor.backtest.book import Lists, MemoryBook
from quantbus_executor.backtest.marks import asked_at, mark_entries
from quantbus_executor.backtest.moments import SteppedClock
from quantbus_executor.backtest.rehearsal import Rehearsal
from quantbus_executor.backtest.tuning import PARAMETERS, tuned
from quantbus_executor.settings import ExecutorSettings
from tests.fixtures.stored_signals import as_published
from tests.unit.executor.rig import FakeTrade

NOON = datetime.fromisoformat("2026-01-05T12:00:00Z")
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
PAIR = "BTC/USDT"
ONE_MINUTE = Timeframe.parse("1m")
RULES = TradingRules()
CONFIG: dict[str, Any] = {
    "timeframe": "1m",
    "external_signal": {"strategy_id": "test", "consumer_id": "bot", "mongo_uri": "mongodb://127.0.0.1:1"},
}


def candles(bars: int, timeframe: Timeframe = ONE_MINUTE) -> pd.DataFrame:
    dates = pd.date_range(NOON, periods=bars, freq=f"{timeframe.seconds}s").as_unit("ms")
    return pd.DataFrame({"date": dates, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0})


def archive_of(*published: PublishedSignal) -> Archive:
    archive = Archive(SteppedClock(NOON), RULES.clock_skew)
    archive.keep(PAIR, published)
    return archive


def entered_from(frame: pd.DataFrame) -> list[int]:
    """Return the bars, counted from noon, at whose open Freqtrade is told to enter."""
    return [row + 1 for row, mark in enumerate(frame["enter_long"]) if mark]


def signal(bar: int, available: float, action: str | None = "enter_long", **fields: Any) -> PublishedSignal:
    """Return a signal of a bar (counted from noon) that stands on the bus ``available`` minutes after noon."""
    return as_published((make_signal(ts=NOON + bar * MINUTE, action=action, **fields), at(available)))


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("available", "bars"),
    [
        (4.0, [4, 5]),  # at its bar's close: from that very open until the tolerance is over
        (3.99, [4, 5]),  # a little before, as far as clocks may differ
        (4.01, [5]),  # after the open: not before the next one
        (5.0, [5]),
        (5.5, []),  # live it would still trade within the bar; no open is left for a backtest
        (2.0, []),  # before its bar closed: it cannot have been computed from the whole bar
    ],
)
def test_an_entry_is_marked_from_the_first_open_at_which_it_stood(available: float, bars: list[int]) -> None:
    marked = mark_entries(candles(12), PAIR, archive_of(signal(3, available)), RULES, ONE_MINUTE)
    assert entered_from(marked) == bars


def test_a_row_that_came_a_day_late_never_trades() -> None:
    marked = mark_entries(candles(60 * 30), PAIR, archive_of(signal(3, 24 * 60)), RULES, ONE_MINUTE)
    assert entered_from(marked) == []


def test_at_each_open_counts_the_revision_that_stood_then() -> None:
    published = as_published(
        (make_signal(ts=at(3), action="enter_long"), at(4)),
        (make_signal(ts=at(3), action="exit_long"), at(4.5)),
    )
    assert entered_from(mark_entries(candles(12), PAIR, archive_of(published), RULES, ONE_MINUTE)) == [4]


def test_a_later_bars_signal_takes_the_place_of_an_earlier_one_only_once_it_stands() -> None:
    slow = signal(4, 6, "exit_long")
    shown = archive_of(signal(3, 4), slow)
    before, after = shown.shown(PAIR, at(5.9)), shown.shown(PAIR, at(6))
    assert before is not None
    assert before.signal.ts == at(3)
    assert after == slow


def test_a_signal_of_longer_bars_trades_from_its_own_close_on() -> None:
    hourly = as_published((make_signal(ts=NOON, timeframe="1h"), NOON + timedelta(minutes=62, seconds=30)))
    marked = mark_entries(candles(240), PAIR, archive_of(hourly), RULES, ONE_MINUTE)
    assert entered_from(marked) == list(range(63, 180))


revisions = st.lists(
    st.tuples(st.integers(0, 600), st.sampled_from(["enter_long", "exit_long"])), min_size=1, max_size=3
)


@st.composite
def pasts(draw: st.DrawFn) -> list[PublishedSignal]:
    bars = draw(st.lists(st.integers(0, 25), unique=True, max_size=12))
    made = []
    for bar in bars:
        moments = sorted({at(bar + 0.9) + step * SECOND for step, _ in draw(revisions)})
        actions = ("enter_long", "exit_long", "enter_long")
        made.append(
            as_published(
                *(
                    (make_signal(ts=at(bar), action=action), moment)
                    for moment, action in zip(moments, actions, strict=False)
                )
            )
        )
    return made


@settings(max_examples=60, deadline=None)
@given(pasts(), st.integers(0, 1_800))
def test_what_is_decided_until_a_moment_is_the_same_whatever_came_after_it(
    past: Sequence[PublishedSignal], seconds: int
) -> None:
    moment = NOON + seconds * SECOND
    frame = candles(30)
    known = [shown for published in past if (shown := published.as_of(moment)) is not None]
    whole = mark_entries(frame, PAIR, archive_of(*past), RULES, ONE_MINUTE)
    cut = mark_entries(frame, PAIR, archive_of(*known), RULES, ONE_MINUTE)
    until = sum(asked <= moment for asked in asked_at(frame, MINUTE))
    columns = ["enter_long", "enter_short", "enter_tag"]
    pd.testing.assert_frame_equal(whole[columns][:until], cut[columns][:until])
    for asked, tag in zip(asked_at(frame, MINUTE), whole["enter_tag"], strict=True):
        if tag is not None:
            (shown,) = [
                item.as_of(asked) for item in past if item.signal_id == tag and item.as_of(asked) is not None
            ]
            assert shown is not None
            assert asked >= max(shown.signal.closes_at, shown.available_at)
            assert asked in entry_interval(shown, RULES)


class Backtest:
    """Freqtrade's order of callbacks over one pair, without Freqtrade."""

    def __init__(self, published: Sequence[PublishedSignal], mode: str = "backtest", **rules: Any) -> None:
        block = {**CONFIG["external_signal"], "rules": rules}
        read = ExecutorSettings.load({**CONFIG, "external_signal": block}, {})
        self.published = published
        self.asked: list[tuple[str, datetime, datetime]] = []
        self.lists = Lists()
        self.rehearsal = Rehearsal(read, ONE_MINUTE, self.lists, tunes=mode == "hyperopt")
        self.frame = candles(30)
        self._numbers = count(1)

    def run(self, **parameters: float) -> list[tuple[int, int | None]]:
        """Return at which bars trades were opened and closed."""
        self.lists.bt_trades, self.lists.bt_trades_open = [], []
        self.rehearsal.recall(self.frame, PAIR, self._read)
        marked = self.rehearsal.mark(self.frame, PAIR, parameters)
        for row, moment in enumerate(asked_at(self.frame, MINUTE)):
            self.rehearsal.on_loop(moment)
            self._bar(moment, marked.iloc[row]["enter_tag"])
        trades = [*self.lists.bt_trades, *self.lists.bt_trades_open]
        return [(bar_of(trade.open_date_utc), bar_of(trade.close_date_utc)) for trade in trades]  # type: ignore[misc]

    def _bar(self, moment: datetime, tag: str | None) -> None:
        entries, exits = self.rehearsal.follower.entries, self.rehearsal.follower.exits
        asked = tag is not None and not self.lists.bt_trades_open
        if asked and entries.stake(PAIR, tag, 20.0, 1_000.0, 1_000.0) and entries.confirm(PAIR, tag, "long"):
            self.lists.bt_trades_open.append(FakeTrade(next(self._numbers), PAIR, tag, moment))
        for trade in list(self.lists.bt_trades_open):
            assert isinstance(trade, FakeTrade)
            if exits.reason(trade) is not None:
                trade.is_open, trade.close_date_utc = False, moment
                self.lists.bt_trades_open.remove(trade)
                self.lists.bt_trades.append(trade)

    def _read(self, pair: str, start: datetime, end: datetime) -> Sequence[PublishedSignal]:
        self.asked.append((pair, start, end))
        return self.published


def bar_of(moment: datetime | None) -> int | None:
    return int((moment - NOON) / MINUTE) if moment is not None else None


def test_a_run_enters_once_per_signal_and_leaves_when_told() -> None:
    backtest = Backtest([signal(3, 4), signal(8, 9.5, "exit_long"), signal(12, 13)])
    assert backtest.run() == [(4, 10), (13, None)]


def test_the_bus_is_asked_once_for_a_pair_however_many_runs_follow() -> None:
    backtest = Backtest([signal(3, 4), signal(8, 9, "exit_long")])
    assert backtest.run() == backtest.run() == [(4, 9)]
    assert backtest.asked == [(PAIR, at(1) - 20 * MINUTE, at(31))]


def test_parameters_count_in_a_hyperopt_and_nowhere_else() -> None:
    past = [signal(3, 4, None, score=0.4), signal(8, 9, None, score=0.1), signal(12, 15, None, score=0.9)]
    found = {"score_entry": 0.35, "score_band": 0.1, "tolerance_bars": 3}
    assert Backtest(past).run(**found) == []
    hyperopt = Backtest(past, mode="hyperopt")
    assert hyperopt.run(**found) == [(4, 9), (15, None)]
    assert hyperopt.run(score_entry=0.5, score_band=0.5, tolerance_bars=1) == []
    assert hyperopt.run(**found) == [(4, 9), (15, None)]


def test_a_rehearsal_goes_to_another_process_with_what_it_has_read() -> None:
    backtest = Backtest([signal(3, 4), signal(8, 9, "exit_long")], mode="hyperopt")
    backtest.run()
    copy = pickle.loads(pickle.dumps(backtest))  # noqa: S301 - our own
    copy.published = []
    assert copy.run() == [(4, 9)]
    assert len(copy.asked) == 1


def test_a_loop_that_fails_ends_the_run_instead_of_leaving_one_without_trades(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backtest = Backtest([signal(3, 4)])
    backtest.run()
    monkeypatch.setattr(backtest.rehearsal.follower, "on_loop", None)
    with pytest.raises(SystemExit):
        backtest.rehearsal.on_loop(at(2))


def test_a_run_can_tell_what_became_of_each_signal(tmp_path: Path) -> None:
    backtest = Backtest([signal(3, 4), signal(5, 6, "exit_long"), signal(20, 23.5)])
    backtest.run()
    backtest.rehearsal.save_ledger(tmp_path / "made/ledger.jsonl")
    lines = (tmp_path / "made/ledger.jsonl").read_text().splitlines()
    assert [line.count('"reason":"stale"') for line in lines] == [0, 0, 1]


def test_parameters_stay_within_what_makes_sense() -> None:
    scaled = TradingRules(confidence=Confidence(scale=SoftScale()))
    for rules in (RULES, scaled):
        for entry in (0.05, 0.95):
            for band in (0.01, 1.0):
                made = tuned(rules, {"score_entry": entry, "score_band": band, "scale_floor": 0.1})
                assert -1 <= made.score_exit < made.score_entry
    assert tuned(RULES, {}) == RULES
    assert tuned(scaled, {"scale_floor": 0.2, "scale_full_at": 0.9}).confidence.scale == SoftScale(
        floor=0.2, full_at=0.9
    )
    assert tuned(RULES, dict.fromkeys(PARAMETERS, 0.5)).confidence.scale is None


def test_the_book_of_a_backtest_finds_trades_as_the_database_does() -> None:
    lists = Lists()
    book = MemoryBook(lists)
    first = FakeTrade(1, PAIR, "a", NOON, is_open=False, close_date_utc=at(1))
    second = FakeTrade(2, PAIR, "b", at(2), is_open=False, close_date_utc=at(3))
    lists.bt_trades.append(first)
    assert (list(book.tagged("a")), list(book.tagged("b"))) == ([first], [])
    lists.bt_trades.append(second)
    lists.bt_trades_open.append(FakeTrade(3, "ETH/USDT", "c", at(4)))
    assert [list(book.tagged(tag)) for tag in ("b", "c")] == [[second], lists.bt_trades_open]
    assert list(book.closed_since(PAIR, at(1))) == [second]
    assert [trade.id for trade in book.latest(2)] == [3, 2]
    assert book.trade(1) is first
    assert book.trade(9) is None
    assert [trade.id for trade in book.open_trades()] == [3]
