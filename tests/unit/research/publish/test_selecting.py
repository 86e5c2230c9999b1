from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.schema import Origin
from quantbus_contracts.testing import FakeSignalStore, make_signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import top_k, top_k_drop_n
from quantbus_research.publish import View, choose, is_due
from quantbus_research.settings.nodes import SelectionSettings

HOUR = Timeframe.parse("1h")
START = datetime(2026, 1, 5, tzinfo=UTC)
# "A/USDT" sorts before "AB/USDT" and "BINANCE:AUSDT" after "BINANCE:ABUSDT": who comes first at equal scores matters.
PAIRS = ("A/USDT", "AB/USDT", "B/USDT", "C/USDT", "D/USDT", "E/USDT", "F/USDT")
SYMBOLS = {pair: "BINANCE:" + pair.replace("/", "") for pair in PAIRS}


def views(scores: dict[str, float | None]) -> list[View]:
    return [
        View(pair, score, close=None if score is None else 1.0, degraded="no bar" if score is None else None)
        for pair, score in scores.items()
    ]


def said(
    scores: dict[str, float | None],
    held: dict[str, float],
    settings: SelectionSettings,
    *,
    is_due: bool = True,
) -> dict[str, float | None]:
    verdicts = choose(views(scores), held, settings, symbols=SYMBOLS, is_due=is_due)
    return {verdict.view.pair: verdict.weight for verdict in verdicts}


def moved(held: dict[str, float], told: dict[str, float | None]) -> dict[str, float]:
    """Return what is held once a consumer has done as it was told."""
    after = held | {pair: weight for pair, weight in told.items() if weight is not None}
    return {pair: weight for pair, weight in after.items() if weight}


@pytest.mark.parametrize(
    "settings",
    [
        SelectionSettings(hold=3, drop=1),
        SelectionSettings(hold=3, drop=2),
        SelectionSettings(hold=2),
        SelectionSettings(hold=2, short=True),
    ],
)
def test_bar_by_bar_it_holds_what_a_backtest_holds(settings: SelectionSettings) -> None:
    bars = [START + number * HOUR.delta for number in range(40)]
    made = np.random.default_rng(5).integers(-3, 4, (len(bars), len(PAIRS))) / 4.0
    table = pd.DataFrame(made, index=pd.DatetimeIndex(bars), columns=list(SYMBOLS.values()))
    scores = pd.Series(table.stack()).swaplevel().sort_index()
    past = (
        top_k(scores, settings.hold, short=settings.short)
        if settings.drop is None
        else top_k_drop_n(scores, settings.hold, settings.drop)
    )
    held: dict[str, float] = {}
    for bar in bars:
        number = bars.index(bar)
        now: dict[str, float | None] = dict(zip(PAIRS, made[number].tolist(), strict=True))
        held = moved(held, said(now, held, settings))
        wanted = dict(zip(PAIRS, past[list(SYMBOLS.values())].to_numpy()[number].tolist(), strict=True))
        assert held == pytest.approx({pair: weight for pair, weight in wanted.items() if weight != 0.0})


def test_where_no_choice_is_due_nothing_is_said() -> None:
    scores: dict[str, float | None] = {"A/USDT": 0.1, "B/USDT": 0.9}
    assert said(scores, {}, SelectionSettings(hold=1)) == {"A/USDT": None, "B/USDT": 1.0}
    told = said(scores, {}, SelectionSettings(hold=1), is_due=False)
    assert told == {"A/USDT": None, "B/USDT": None}


def test_a_turn_that_was_missed_is_made_up_for() -> None:
    history = FakeSignalStore()

    def say(hour: int, weight: float, origin: Origin = "live") -> None:
        moment = START + timedelta(hours=hour)
        row = make_signal(
            pair="BTC/USDT", ts=moment, timeframe="1h", action=None, score=None, weight=weight, origin=origin
        )
        history.publish([row])

    def due(hour: int, origin: Origin = "live") -> bool:
        bar = START + timedelta(hours=hour)
        return is_due(history, make_signal().strategy_id, ["BTC/USDT"], HOUR, bar, every=24, origin=origin)

    say(0, 0.5)
    assert [due(hour) for hour in (0, 1, 23, 24, 25)] == [True, False, False, True, True]
    say(24, 0.0)
    assert due(25), "only exits were said at the turn"
    say(25, 0.5, "backfill")
    assert due(26), "what was said afterwards never traded"
    assert not due(26, "backfill")
    say(26, 0.5)
    assert not due(27)


def test_a_held_pair_without_a_score_stays_and_keeps_its_place() -> None:
    settings = SelectionSettings(hold=2)
    scores: dict[str, float | None] = {"A/USDT": None, "B/USDT": 0.9, "C/USDT": 0.5, "D/USDT": 0.1}
    told = said(scores, {"A/USDT": 0.5, "C/USDT": 0.5}, settings)
    assert told == {"A/USDT": None, "B/USDT": 0.5, "C/USDT": 0.0, "D/USDT": None}


def test_with_no_score_at_all_nothing_is_sold() -> None:
    nothing: dict[str, float | None] = {"A/USDT": None, "B/USDT": None}
    assert said(nothing, {"A/USDT": 1.0}, SelectionSettings(hold=1)) == nothing


def test_too_few_scores_to_choose_both_sides_change_nothing() -> None:
    settings = SelectionSettings(hold=2, short=True)
    scores: dict[str, float | None] = {"A/USDT": 0.1, "B/USDT": 0.2, "C/USDT": 0.3, "D/USDT": None}
    assert set(said(scores, {"A/USDT": 0.25}, settings).values()) == {None}
