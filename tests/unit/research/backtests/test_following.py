from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.errors import ContractError
from quantbus_contracts.policy import (
    Circumstances,
    Debounce,
    DecisionKind,
    PastTrade,
    Position,
    Reason,
    TradingRules,
    decide,
    first_bar_to_enter,
)
from quantbus_contracts.schema import PublishedSignal, Revision, Signal
from quantbus_research.backtests import Account, Followed, as_if_published, follow, replay, targets_of
from quantbus_research.backtests.recall import SeenSignals
from tests.unit.research.panels import BTC, MINUTE, START, make_panel

PAIR, OTHER = "BTC/USDT", "ETH/USDT"
LONG_AND_SHORT = TradingRules(can_short=True)
OPENS = [START + number * MINUTE.delta for number in range(60)]


def signal(minute: int, *, pair: str = PAIR, timeframe: str = "1m", **content: object) -> Signal:
    return Signal.model_validate(
        {
            **{"strategy_id": "s", "symbol": f"BINANCE:{pair.replace('/', '')}", "pair": pair},
            **{"timeframe": timeframe, "ts": START + timedelta(minutes=minute)},
            **content,
        }
    )


def says(minute: int, action: str, *, delay: float = 0.0, **more: Any) -> PublishedSignal:
    (published,) = as_if_published([signal(minute, action=action, **more)], delay=timedelta(seconds=delay))
    return published


def walked(
    *signals: PublishedSignal, rules: TradingRules = LONG_AND_SHORT
) -> list[tuple[str, int, int | None]]:
    found = follow(signals, {PAIR: OPENS}, rules)
    return [(one.side, minute_of(one.opened_at) or 0, minute_of(one.closed_at)) for one in found]


def minute_of(moment: datetime | None) -> int | None:
    return None if moment is None else int((moment - START) / MINUTE.delta)


def test_an_entry_is_made_at_the_open_after_its_bar_and_left_after_its_exit() -> None:
    assert walked(says(3, "enter_long"), says(7, "exit_long")) == [("long", 4, 8)]


def test_a_signal_that_comes_late_is_entered_a_bar_later_and_one_too_late_not_at_all() -> None:
    assert walked(says(3, "enter_long", delay=1)) == [("long", 5, None)]
    assert walked(says(3, "enter_long", delay=121)) == []
    assert walked(says(3, "enter_long", delay=61), rules=TradingRules(tolerance_bars=2)) == [
        ("long", 6, None)
    ]


def test_an_exit_does_not_expire() -> None:
    assert walked(says(3, "enter_long"), says(7, "exit_long", delay=900)) == [("long", 4, 23)]


def test_a_reversal_enters_the_opposite_a_bar_after_it_has_ended_the_position() -> None:
    signals = says(3, "enter_long"), says(7, "enter_short")
    assert walked(*signals) == [("long", 4, 8), ("short", 9, None)]
    assert walked(*signals, rules=TradingRules()) == [("long", 4, 8)]
    assert walked(*signals, rules=TradingRules(can_short=True, tolerance_bars=0)) == [("long", 4, 8)]


def test_the_last_bar_opens_nothing() -> None:
    assert walked(says(58, "enter_long")) == []
    assert walked(says(57, "enter_long")) == [("long", 58, None)]


def test_backfilled_rows_never_trade() -> None:
    assert walked(says(3, "enter_long", origin="backfill")) == []


def test_a_position_is_held_as_long_as_the_debounce_asks_and_a_pair_cools_down() -> None:
    rules = TradingRules(debounce=Debounce(minimum_hold=timedelta(minutes=5), cool_down=timedelta(minutes=2)))
    signals = says(3, "enter_long"), says(5, "exit_long"), says(8, "enter_long", delay=0)
    assert walked(*signals[:2], rules=rules) == [("long", 4, 9)]
    assert walked(*signals, rules=rules) == [("long", 4, None)]
    again = says(3, "enter_long"), says(8, "exit_long"), says(9, "enter_long")
    assert walked(*again, rules=rules) == [("long", 4, 9), ("long", 11, None)]


def test_a_revision_counts_from_when_it_stood_on_the_bus() -> None:
    first = says(3, "enter_long")
    revised = PublishedSignal(
        signal=signal(3, action="exit_long"),
        version=2,
        available_at=START + timedelta(minutes=9, seconds=30),
        valid_until=first.valid_until,
        published_by="x",
        history=(
            Revision(
                signal=first.signal,
                version=1,
                available_at=first.available_at,
                valid_until=first.valid_until,
                published_by="x",
            ),
        ),
    )
    (found,) = follow([revised], {PAIR: OPENS}, LONG_AND_SHORT)
    assert (minute_of(found.opened_at), minute_of(found.closed_at)) == (4, 10)
    assert found.left_because is Reason.REVISED


def test_signals_of_longer_bars_trade_at_the_first_open_of_the_shorter() -> None:
    assert walked(says(15, "enter_long", timeframe="15m")) == [("long", 30, None)]
    assert walked(says(15, "enter_long", timeframe="15m", delay=61)) == [("long", 32, None)]


def test_a_weight_is_the_share_that_is_held() -> None:
    published = as_if_published([signal(3, weight=-0.25)])
    (found,) = follow(published, {PAIR: OPENS}, LONG_AND_SHORT)
    assert (found.side, found.share) == ("short", 0.25)
    targets = targets_of([found], {PAIR: BTC}, pd.DatetimeIndex(OPENS))
    assert targets[BTC].tolist() == [0.0] * 3 + [-0.25] * 57


def test_positions_become_targets_a_bar_before_they_are_traded() -> None:
    positions = [
        Followed(PAIR, "long", "a", OPENS[4], 1.0, OPENS[8]),
        Followed(PAIR, "short", "b", OPENS[8], 0.5, OPENS[9]),
    ]
    targets = targets_of(positions, {PAIR: BTC}, pd.DatetimeIndex(OPENS))[BTC]
    assert targets.tolist()[:10] == [0, 0, 0, 1, 1, 1, 1, -0.5, 0, 0]


def test_a_replay_trades_what_was_followed() -> None:
    panel = make_panel(60)
    signals = [
        says(3, "enter_long"),
        says(30, "exit_long"),
        *as_if_published([signal(9, pair=OTHER, action="enter_long")]),
    ]
    found = replay(
        signals, panel, timeframe=MINUTE, rules=TradingRules(), account=Account(shared=True), stake=0.5
    )
    trades = found.backtest.trades
    assert trades["opened_at"].tolist() == [one.opened_at for one in found.followed]
    assert minute_of(trades["closed_at"].iloc[0].to_pydatetime()) == 31
    assert trades["closed_at"].isna().tolist() == [False, True]


def test_a_replay_pays_funding_on_what_it_follows_alone() -> None:
    panel = make_panel(60)
    funding = pd.Series(0.001, index=panel.index)
    signals = [says(3, "enter_long"), says(7, "exit_long")]
    found = replay(signals, panel, timeframe=MINUTE, rules=TradingRules(), funding=funding)
    assert found.backtest.market.symbols == (BTC,)
    assert (found.backtest.funding_paid[0] > 0).nonzero()[0].tolist() == [5, 6, 7, 8]


def test_signals_without_bars_are_refused() -> None:
    with pytest.raises(ContractError, match="BINANCE:SOLUSDT"):
        replay(
            as_if_published([signal(3, pair="SOL/USDT", action="enter_long")]),
            make_panel(10),
            timeframe=MINUTE,
            rules=TradingRules(),
        )


DELAYS = st.sampled_from([0.0, 1.0, 59.0, 60.0, 61.0, 130.0, 400.0])
ACTIONS = st.sampled_from(["enter_long", "exit_long", "enter_short", "exit_short"])
RULES = st.builds(
    TradingRules,
    tolerance_bars=st.integers(0, 3),
    can_short=st.booleans(),
    act_on_old_exits=st.booleans(),
    debounce=st.sampled_from(
        [
            Debounce(),
            Debounce(minimum_hold=timedelta(minutes=4)),
            Debounce(cool_down=timedelta(minutes=3)),
            Debounce(flips_per_day=2),
        ]
    ),
)
SIGNALS = st.dictionaries(st.integers(0, 58), st.tuples(ACTIONS, DELAYS), max_size=25).map(
    lambda drawn: [says(minute, action, delay=delay) for minute, (action, delay) in sorted(drawn.items())]
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), DELAYS, st.integers(0, 3), st.sampled_from(["1m", "5m"]))
def test_a_single_entry_is_made_where_the_policy_says(
    minute: int, delay: float, tolerance: int, timeframe: str
) -> None:
    minute -= minute % 5 if timeframe == "5m" else 0
    rules = TradingRules(tolerance_bars=tolerance)
    published = says(minute, "enter_long", delay=delay, timeframe=timeframe)
    expected = first_bar_to_enter(published, rules, MINUTE)
    found = walked(published, rules=rules)
    if expected is None or expected >= OPENS[-1]:
        assert found == []
    else:
        assert found == [("long", minute_of(expected), None)]


@settings(max_examples=150, deadline=None)
@given(SIGNALS, RULES)
def test_bars_that_are_passed_over_would_have_changed_nothing(
    signals: list[PublishedSignal], rules: TradingRules
) -> None:
    assert walked(*signals, rules=rules) == bar_by_bar(signals, rules)


def bar_by_bar(signals: list[PublishedSignal], rules: TradingRules) -> list[tuple[str, int, int | None]]:
    """Ask the policy at every single open."""
    seen = SeenSignals(signals, rules.clock_skew)
    held: Position | None = None
    past: list[PastTrade] = []
    found: list[tuple[str, int, int | None]] = []
    for number, now in enumerate(OPENS):
        decision = decide(seen.shown(now), held, now, rules, Circumstances(past=tuple(past)))
        if decision.kind is DecisionKind.EXIT and held is not None:
            found[-1] = (*found[-1][:2], number)
            past.append(PastTrade(held.opened_at, now))
            held = None
        elif decision.kind is DecisionKind.ENTER and decision.side and number < len(OPENS) - 1:
            published = seen.shown(now)
            assert published is not None
            held = Position(decision.side, now, published.signal_id, published.signal.ts)
            found.append((decision.side, number, None))
    return found


@settings(max_examples=60, deadline=None)
@given(SIGNALS, RULES, st.integers(5, 55))
def test_no_decision_depends_on_a_signal_that_came_later(
    signals: list[PublishedSignal], rules: TradingRules, until: int
) -> None:
    moment = OPENS[until]
    known = [one for one in signals if one.available_at <= moment]
    opens = [opened for opened in OPENS if opened <= moment] + [moment + MINUTE.delta]
    cut = [
        one
        if one.closed_at is None or one.closed_at <= moment
        else replace(one, closed_at=None, left_because=None)
        for one in follow(signals, {PAIR: opens}, rules)
    ]
    alone = [
        one
        if one.closed_at is None or one.closed_at <= moment
        else replace(one, closed_at=None, left_because=None)
        for one in follow(known, {PAIR: opens}, rules)
    ]
    assert [one for one in cut if one.opened_at <= moment] == [
        one for one in alone if one.opened_at <= moment
    ]
