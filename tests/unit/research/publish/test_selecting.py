from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import top_k, top_k_drop_n
from quantbus_research.publish import View, choose
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
    bar: datetime = START,
) -> dict[str, float | None]:
    verdicts = choose(views(scores), held, settings, symbols=SYMBOLS, timeframe=HOUR, bar=bar)
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
    scores = table.stack().swaplevel().sort_index()
    past = (
        top_k(scores, settings.hold, short=settings.short)
        if settings.drop is None
        else top_k_drop_n(scores, settings.hold, settings.drop)
    )
    held: dict[str, float] = {}
    for bar in bars:
        now: dict[str, float | None] = {pair: float(table.loc[bar, SYMBOLS[pair]]) for pair in PAIRS}
        held = moved(held, said(now, held, settings, bar))
        expected = {pair: past.loc[bar, SYMBOLS[pair]] for pair in PAIRS}
        assert held == pytest.approx({pair: weight for pair, weight in expected.items() if weight})


def test_between_two_turns_nothing_is_said() -> None:
    daily = SelectionSettings(hold=1, every_bars=24)
    scores: dict[str, float | None] = {"A/USDT": 0.1, "B/USDT": 0.9}
    assert said(scores, {}, daily, START) == {"A/USDT": None, "B/USDT": 1.0}
    assert said(scores, {}, daily, START + timedelta(hours=1)) == {"A/USDT": None, "B/USDT": None}


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
