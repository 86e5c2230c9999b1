"""One past in a simulated live loop, and how two runs of it are held side by side."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import Execution, ExecutionState, PublishedSignal, Strategy
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.backtest.causality import leaks
from quantbus_executor.replay.backtested import outcome_of_backtest
from quantbus_executor.replay.differences import Difference, Kind, compare
from quantbus_executor.replay.dry_run import _shift_for
from quantbus_executor.replay.loading import config_of
from quantbus_executor.replay.outcome import Outcome, ReplayedTrade
from quantbus_executor.replay.plan import ReplayPlan
from quantbus_executor.replay.report import Comparison, ReplayReport
from quantbus_executor.replay.shifting import Shift
from quantbus_executor.replay.simulated_bot import simulate
from quantbus_executor.settings import ExecutorSettings
from tests.fixtures.stored_signals import as_published

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
LOOP = 5 * SECOND
BTC, ETH = "BTC/USDT", "ETH/USDT"
CONFIG: dict[str, Any] = {
    "timeframe": "1m",
    "stake_amount": 20.0,
    "dry_run_wallet": 1_000,
    "max_open_trades": 2,
    "external_signal": {"strategy_id": "test", "consumer_id": "bot"},
}


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def candles(closes: Sequence[float]) -> pd.DataFrame:
    close = np.array(closes)
    open_ = np.concatenate([close[:1], close[:-1]])
    dates = pd.date_range(NOON - MINUTE, periods=len(close), freq="1min").as_unit("ms")
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return pd.DataFrame(
        {"date": dates, "open": open_, "high": high, "low": low, "close": close, "volume": 1.0}
    )


def plan_of(
    *published: PublishedSignal, closes: Sequence[float] | None = None, rules: Any = None, **config: Any
) -> ReplayPlan:
    block = {**CONFIG["external_signal"], "rules": rules or {}}
    made = {**CONFIG, "external_signal": block, **config}
    frame = candles(closes if closes is not None else [100.0 + 0.01 * bar for bar in range(31)])
    return ReplayPlan(
        start=NOON,
        end=at(30),
        config=made,
        settings=ExecutorSettings.load(made, {}),
        timeframe=Timeframe.parse("1m"),
        candles={BTC: frame, ETH: frame},
        signals={pair: [item for item in published if item.signal.pair == pair] for pair in (BTC, ETH)},
    )


def signal(bar: int, delay: float = 0, action: str | None = "enter_long", **fields: Any) -> PublishedSignal:
    """Return a signal of a bar that stood on the bus ``delay`` seconds after its close."""
    return as_published((make_signal(ts=at(bar), action=action, **fields), at(bar + 1) + delay * SECOND))


def simulated(plan: ReplayPlan) -> Outcome:
    return simulate(plan, every=LOOP, fee=0.001)


def trade(
    published: PublishedSignal, opened: float, closed: float | None = None, **fields: Any
) -> ReplayedTrade:
    given = {
        "pair": published.signal.pair,
        "side": "long",
        "enter_tag": published.signal_id,
        "opened_at": at(opened),
        "open_rate": 100.0,
        "stake": 20.0,
        "closed_at": at(closed) if closed is not None else None,
        "close_rate": 101.0 if closed is not None else None,
        "profit": 0.2 if closed is not None else None,
    }
    return ReplayedTrade(**{**given, **fields})


def row(published: PublishedSignal, state: str, reason: str | None = None) -> Execution:
    return make_execution(published.signal, state=ExecutionState(state), reason=reason)


def outcome(name: str, *trades: ReplayedTrade, rows: Sequence[Execution] = ()) -> Outcome:
    return Outcome(name, trades, {item.signal_id: item for item in rows})


def kinds(plan: ReplayPlan, left: Outcome, right: Outcome) -> list[Kind]:
    return [difference.kind for difference in compare(plan, left, right, loop=LOOP)]


def test_a_live_loop_acts_within_the_bar_in_which_a_signal_comes() -> None:
    entry, leave = signal(3, 12), signal(8, 31, "exit_long")
    (made,) = simulated(plan_of(entry, leave)).trades
    assert (made.opened_at, made.closed_at) == (at(4) + 15 * SECOND, at(9) + 35 * SECOND)
    assert (made.signal_id, made.exit_signal_id, made.exit_cause) == (
        entry.signal_id,
        leave.signal_id,
        "exit_signal",
    )
    assert made.open_rate == pytest.approx(100.04 + 0.01 * 15 / 60)


def test_twice_gives_the_same_decisions() -> None:
    past = [signal(bar, 17 * bar % 90, "enter_long" if bar % 2 else "exit_long") for bar in range(1, 25)]
    plan = plan_of(*past)
    first, again = simulated(plan), simulated(plan)
    assert first.decisions() == again.decisions()
    assert first.equity() == again.equity()
    assert len(first.trades) > 3
    assert leaks(first.trades, {item.signal_id: item for item in past}) == []


def test_the_side_that_was_left_waits_for_the_next_bar() -> None:
    plan = plan_of(signal(3), signal(5, 5, "exit_long"), signal(4, 130))
    assert [made.opened_at for made in simulated(plan).trades] == [at(4)]
    again = as_published(
        (make_signal(ts=at(5), action="exit_long"), at(6) + 5 * SECOND),
    )
    soon = plan_of(signal(3), again, signal(6, -0.5))
    assert [made.opened_at for made in simulated(soon).trades] == [at(4), at(7)]


def test_slots_are_counted_as_freqtrade_counts_them() -> None:
    plan = plan_of(signal(3), signal(3, pair=ETH), max_open_trades=1)
    made = simulated(plan)
    assert [one.pair for one in made.trades] == [BTC]


def test_the_stop_of_last_resort_ends_a_trade_in_the_simulated_loop_too() -> None:
    falling = [100.0] * 8 + [80.0] * 23
    (made,) = simulated(plan_of(signal(3), closes=falling)).trades
    assert made.exit_cause == "stop_loss"
    assert made.close_rate == pytest.approx(90.0)
    assert made.profit == pytest.approx(-2.0 - 0.001 * (20 + 18))


def test_equal_runs_have_no_difference() -> None:
    plan = plan_of(signal(3), signal(8, 5, "exit_long"), signal(20, action="enter_short"))
    assert compare(plan, simulated(plan), simulated(plan), loop=LOOP) == []


ENTRY, LEAVE = signal(3, 20), signal(8, 20, "exit_long")
ON_TIME, ON_TIME_LEAVE = signal(13), signal(18, 0, "exit_long")
BY = {"exit_reason": f"exit_signal:{LEAVE.signal_id}"}


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (trade(ENTRY, 5), trade(ENTRY, 4.4), Kind.INTRA_BAR),
        (trade(ENTRY, 5, 10, **BY), trade(ENTRY, 5, 9.4, **BY), Kind.INTRA_BAR),
        (trade(ENTRY, 5, 10, **BY), trade(ENTRY, 5, 9.5, exit_reason="stop_loss"), Kind.OWN_EXIT),
        (trade(ENTRY, 5), trade(ENTRY, 5, 29.5, **BY), Kind.END_OF_RANGE),
        (trade(ENTRY, 4.96), trade(ENTRY, 5.03), Kind.LATE_LOOP),
        (trade(ENTRY, 5), trade(ENTRY, 6), Kind.UNNAMED),
        (trade(ENTRY, 5, 10, **BY), trade(ENTRY, 5, 12, **BY), Kind.UNNAMED),
        (trade(ENTRY, 5, 10, **BY), trade(ENTRY, 5), Kind.UNNAMED),
        (trade(ENTRY, 5, 10, **BY), trade(ENTRY, 5, 10, **BY, profit=0.3), Kind.PRICE),
    ],
)
def test_what_two_trades_of_one_signal_do_otherwise_has_a_name_or_none(
    left: ReplayedTrade, right: ReplayedTrade, kind: Kind
) -> None:
    plan = plan_of(ENTRY, LEAVE)
    rows = [row(ENTRY, "filled")]
    assert kinds(plan, outcome("a", left, rows=rows), outcome("b", right, rows=rows)) == [kind]
    assert kinds(plan, outcome("b", right, rows=rows), outcome("a", left, rows=rows)) == [kind]


@pytest.mark.parametrize(
    "right",
    [
        (trade(ENTRY, 5, 10, **BY), trade(ENTRY, 12, 14, **BY)),
        (trade(ENTRY, 5, 10, **BY, side="short"),),
        (trade(ENTRY, 5, 10, **BY, stake=10.0, profit=0.1),),
    ],
    ids=["entered twice", "on the other side", "with another stake"],
)
def test_what_no_price_explains_has_no_name(right: tuple[ReplayedTrade, ...]) -> None:
    plan = plan_of(ENTRY, LEAVE)
    once = outcome("a", trade(ENTRY, 5, 10, **BY))
    assert kinds(plan, once, outcome("b", *right)) == [Kind.UNNAMED]
    assert kinds(plan, outcome("b", *right), once) == [Kind.UNNAMED]


def test_a_trade_without_a_row_in_the_ledger_has_no_name() -> None:
    made = trade(ENTRY, 5, 10, **BY)
    told = outcome("a", made, rows=[row(ENTRY, "filled"), row(LEAVE, "filled")])
    untold = outcome("b", made, rows=[row(LEAVE, "filled")])
    assert kinds(plan_of(ENTRY, LEAVE), told, untold) == [Kind.UNNAMED]


def test_a_stake_that_was_resized_has_a_name_of_its_own() -> None:
    plan = plan_of(ENTRY, LEAVE, rules={"drift_band": 0.1})
    small = trade(ENTRY, 5, 10, **BY, stake=10.0, profit=0.1)
    assert kinds(plan, outcome("a", trade(ENTRY, 5, 10, **BY)), outcome("b", small)) == [Kind.RESIZED]


def test_a_trade_knows_too_much_if_only_a_later_revision_asked_for_it() -> None:
    revised = as_published(
        (make_signal(ts=at(3), action="exit_long"), at(4)),
        (make_signal(ts=at(3), action="enter_long"), at(6)),
        (make_signal(ts=at(3), action="exit_long"), at(9)),
    )
    known = {revised.signal_id: revised, LEAVE.signal_id: LEAVE}
    assert leaks([trade(revised, 6)], known) == []
    assert [leak.known_from for leak in leaks([trade(revised, 5)], known)] == [at(6)]
    assert [leak.known_from for leak in leaks([trade(LEAVE, 10)], known)] == [None]
    score = signal(3, 0, None, score=0.4)
    by_score = {score.signal_id: score}
    assert leaks([trade(score, 5)], by_score)
    rules = ExecutorSettings.load(plan_of(rules={"score_entry": 0.3}).config, {}).rules
    assert leaks([trade(score, 5)], by_score, rules=rules) == []


def test_an_entry_that_only_one_run_made_is_named_by_what_stood_in_the_others_way() -> None:
    inside = signal(3, 110)  # its last open is over before it stands
    plan = plan_of(inside, ON_TIME, signal(12, pair=ETH), max_open_trades=1)
    done = outcome("b", trade(inside, 5.9), rows=[row(inside, "filled")])
    assert kinds(plan, outcome("a", rows=[row(inside, "refused", "stale")]), done) == [Kind.INTRA_BAR]

    full = outcome("a", trade(signal(12, pair=ETH), 13))
    other = outcome("b", trade(signal(12, pair=ETH), 13), trade(ON_TIME, 14))
    assert kinds(plan, full, other) == [Kind.NO_SLOT]

    free = replace(plan, config={**plan.config, "max_open_trades": 2})
    assert kinds(free, full, other) == [Kind.UNNAMED]
    small = outcome(
        "a", trade(signal(12, pair=ETH), 13), rows=[row(ON_TIME, "refused", "stake_below_minimum")]
    )
    assert kinds(free, small, other) == [Kind.VENUE_LIMIT]
    locked = outcome("a", *full.trades, trade(signal(9), 10, 14))
    plan_with = replace(free, signals={**free.signals, BTC: [signal(9), ON_TIME]})
    both = outcome("b", *other.trades, trade(signal(9), 10, 14))
    assert kinds(plan_with, locked, both) == [Kind.AUTO_LOCK]


def test_what_follows_from_a_named_difference_is_its_consequence_and_only_that() -> None:
    inside, leave, again = signal(3, 110), signal(8, 0, "exit_long"), signal(20)
    plan = plan_of(inside, leave, again)
    left = outcome("a", rows=[row(inside, "refused", "stale"), row(leave, "refused", "nothing_to_exit")])
    right = outcome(
        "b",
        trade(inside, 5.9, 9, exit_reason=f"exit_signal:{leave.signal_id}"),
        rows=[row(inside, "filled"), row(leave, "filled", "exit_signal")],
    )
    assert kinds(plan, left, right) == [Kind.INTRA_BAR, Kind.CONSEQUENCE]
    later = outcome("b", *right.trades, trade(again, 21), rows=list(right.rows.values()))
    assert kinds(plan, left, later)[-1] is Kind.UNNAMED, "both were flat again: that is another matter"


def test_rows_are_compared_as_well() -> None:
    low = signal(3, 0, None, score=0.1)
    plan = plan_of(low)
    fine = outcome("a", rows=[row(low, "refused", "below_threshold")])
    assert kinds(plan, fine, fine) == []
    assert kinds(plan, fine, outcome("b", rows=[row(low, "refused", "spot_short")])) == [Kind.UNNAMED]
    assert kinds(plan, fine, outcome("b", rows=[row(low, "refused", "no_slot")])) == [Kind.FREQTRADE_REFUSAL]
    assert kinds(plan, fine, outcome("b")) == [Kind.UNNAMED]


def test_that_a_signal_came_inside_a_bar_names_no_refusal_for_what_it_says() -> None:
    low = signal(3, 20, None, score=0.1)
    plan = plan_of(low)
    refused = [outcome("a", rows=[row(low, "refused", why)]) for why in ("below_threshold", "spot_short")]
    assert kinds(plan, *refused) == [Kind.UNNAMED]
    late = [outcome("a", rows=[row(low, "refused", why)]) for why in ("stale", "expired")]
    assert kinds(plan, *late) == [Kind.INTRA_BAR]


def test_a_report_fails_on_what_has_no_name_and_on_a_leak(tmp_path: Path) -> None:
    named = Difference(Kind.INTRA_BAR, BTC, NOON, None, "a", "b")
    unnamed = replace(named, kind=Kind.UNNAMED)
    runs = [outcome("a", trade(ENTRY, 5, 9), rows=[row(ENTRY, "filled")]), outcome("b")]
    assert ReplayReport(runs, [Comparison("a", "b", [named])]).ok
    assert not ReplayReport(runs, [Comparison("a", "b", [named, unnamed])]).ok
    report = ReplayReport(runs, [Comparison("a", "b", [named])], leaks=["a: too early"])
    assert not report.ok
    report.save(tmp_path / "report.json")
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["runs"]["a"]["equity"] == [[at(9).isoformat(), 0.2]]
    assert saved["comparisons"][0]["differences"][0]["kind"] == "intra_bar"


def test_a_past_moves_by_whole_bars_and_what_came_of_it_moves_back() -> None:
    published = as_published(
        (make_signal(ts=at(3), valid_until=at(9)), at(4)),
        (make_signal(ts=at(3), action="exit_long"), at(4.5)),
    )
    history = as_published((make_signal(ts=at(5), origin="backfill"), at(20)))
    shift = Shift(timedelta(days=2), [published, history], "test-1")
    first, second, third = shift.publications()
    assert [item.at - timedelta(days=2) for item in (first, second, third)] == [at(4), at(4.5), at(20)]
    assert (first.signal.ts, first.signal.valid_until) == (at(3) + shift.by, at(9) + shift.by)
    assert (first.signal.origin, third.signal.origin) == ("replay", "backfill")

    moved = make_execution(first.signal, filled_at=at(4) + shift.by)
    back = shift.row_back(moved)
    assert back is not None
    assert (back.signal_id, back.ts, back.filled_at) == (published.signal_id, at(3), at(4))
    assert shift.row_back(make_execution(make_signal(ts=at(11)))) is None
    stored = {
        "pair": BTC,
        "is_short": 0,
        "enter_tag": first.signal.signal_id,
        "open_date": "2026-01-07 12:04:01.500000",
        "close_date": "2026-01-07 12:05:00",
        "exit_reason": f"revised:{first.signal.signal_id}",
        "open_rate": 1.0,
        "close_rate": 2.0,
        "stake_amount": 20.0,
        "close_profit_abs": 3.0,
    }
    made = shift.trade_back(stored, at(30))
    assert made is not None
    assert (made.opened_at, made.closed_at) == (at(4) + 1.5 * SECOND, at(5))
    assert (made.signal_id, made.exit_signal_id) == (published.signal_id, published.signal_id)
    still = shift.trade_back(stored, at(4.5))
    assert still is not None
    assert (still.closed_at, still.profit, still.exit_cause) == (None, None, None)
    assert shift.trade_back(stored, at(4)) is None


def test_what_freqtrade_closes_because_the_data_end_is_still_open() -> None:
    exported = {
        "pair": BTC,
        "is_short": False,
        "enter_tag": ENTRY.signal_id,
        "open_timestamp": at(5).timestamp() * 1000,
        "close_timestamp": at(29).timestamp() * 1000,
        "exit_reason": "force_exit",
        "open_rate": 1.0,
        "close_rate": 2.0,
        "stake_amount": 20.0,
        "profit_abs": 3.0,
    }
    (made,) = outcome_of_backtest([exported], []).trades
    assert (made.opened_at, made.closed_at, made.exit_cause) == (at(5), None, None)


def test_a_past_that_cannot_be_replayed_is_refused() -> None:
    plan = plan_of()
    with pytest.raises(ConfigError, match="--from: expected the open of a 1m bar"):
        replace(plan, start=at(0.5))
    with pytest.raises(ConfigError, match="at least three bars"):
        replace(plan, end=at(2))
    with pytest.raises(ConfigError, match="BTC/USDT: expected 30 bars of 1m"):
        replace(plan, candles={BTC: plan.candles[BTC][:10]})
    with pytest.raises(ConfigError, match="and one before them"):
        replace(plan, candles={BTC: plan.candles[BTC][1:]})


def test_a_replay_takes_the_bots_config_and_the_strategys_pairs() -> None:
    strategy = Strategy(strategy_id="theirs", venue="BINANCE", timeframe="1h", pairs=(BTC, ETH))
    made = config_of({**CONFIG, "timeframe": "5m"}, strategy, [])
    assert made["exchange"]["pair_whitelist"] == [BTC, ETH]
    assert made["external_signal"] == {"strategy_id": "theirs", "consumer_id": "replay", "timeframe": "1h"}
    assert config_of({}, strategy, [ETH])["timeframe"] == "1h"
    with pytest.raises(ConfigError, match="that the strategy declares, found XRP/USDT"):
        config_of(CONFIG, strategy, ["XRP/USDT"])


def test_each_replay_is_a_strategy_of_its_own_so_that_none_enters_upon_what_another_left() -> None:
    plan, strategy = (
        plan_of(signal(3)),
        Strategy(strategy_id="s" * 64, venue="BINANCE", timeframe="1m", pairs=(BTC, ETH)),
    )
    frames = {pair: pd.concat([_before(frame), frame]) for pair, frame in plan.candles.items()}
    long_plan = replace(plan, candles=frames)
    first, again = (_shift_for(long_plan, strategy, at(minutes)) for minutes in (1_000, 1_001))
    assert first.strategy_id != again.strategy_id
    assert len(first.strategy_id) <= 64
    (one,), (other,) = first.publications(), again.publications()
    assert one.signal.strategy_id == first.strategy_id
    row_of_other = make_execution(other.signal)
    assert first.row_back(row_of_other) is None
    back = again.row_back(row_of_other)
    assert back is not None
    assert (back.signal_id, back.strategy_id) == (signal(3).signal_id, signal(3).signal.strategy_id)


def _before(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(date=frame["date"] - 31 * MINUTE)
