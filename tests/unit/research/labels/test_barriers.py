import math

import numpy as np
import pandas as pd
import pytest

from quantbus_research.labels import forward_return, triple_barrier
from tests.unit.research.panels import BTC, ETH, MINUTE, START, make_panel, make_series, panel_of

SYMBOLS = (BTC, ETH)


def bars(*rows: tuple[float, float, float]) -> pd.DataFrame:
    """Return bars of (high, low, close)."""
    frame = make_series(len(rows))
    for place, name in enumerate(("high", "low", "close")):
        frame[name] = [row[place] for row in rows]
    return panel_of(BTC=frame)


CALM = (100.5, 99.5, 100.0)


@pytest.mark.parametrize(
    ("second", "third", "value", "wait"),
    [
        ((102.0, 99.5, 101.0), CALM, 1.0, 2),
        (CALM, (100.5, 97.9, 98.0), -1.0, 3),
        (CALM, CALM, 0.0, 3),
        ((102.0, 98.0, 100.0), CALM, -1.0, 2),  # both in one bar: nobody knows which came first
        ((102.0, 99.5, 101.0), (100.0, 90.0, 91.0), 1.0, 2),
    ],
)
def test_the_first_barrier_touched_is_the_label(
    second: tuple[float, float, float], third: tuple[float, float, float], value: float, wait: int
) -> None:
    labels = triple_barrier(bars(CALM, second, third, CALM), MINUTE, 2, up=0.02, down=0.02)
    assert labels.values.iloc[0] == value
    assert labels.known_at.iloc[0] == pd.Timestamp(START) + wait * MINUTE.delta


def test_the_bar_itself_touches_nothing() -> None:
    labels = triple_barrier(bars((200.0, 1.0, 100.0), CALM, CALM), MINUTE, 2, up=0.02, down=0.02)
    assert labels.values.iloc[0] == 0.0


def test_barriers_stand_in_units_of_the_width() -> None:
    panel = bars(CALM, (101.5, 99.5, 100.0), CALM, CALM)
    width = pd.Series([0.01, 0.02, math.nan, 0.01], index=panel.index)
    labels = triple_barrier(panel, MINUTE, 2, up=1.0, down=1.0, width=width)
    assert labels.values.iloc[0] == 1.0
    assert labels.values.iloc[1] == 0.0
    assert labels.values.iloc[2:].isna().all()


def test_a_barrier_touched_before_a_gap_still_counts() -> None:
    panel = bars(CALM, (103.0, 99.5, 101.0), CALM, CALM, CALM)
    labels = triple_barrier(panel.drop(panel.index[3]), MINUTE, 4, up=0.02, down=0.02)
    assert labels.values.iloc[0] == 1.0
    assert labels.values.iloc[1:].isna().all()


def test_it_agrees_with_walking_through_the_bars() -> None:
    panel = make_panel(150)
    found = triple_barrier(panel, MINUTE, 12, up=0.002, down=0.001)
    for symbol in SYMBOLS:
        part, said = panel.loc[symbol], found.values.loc[symbol]
        high, low, close = (part[name].to_numpy() for name in ("high", "low", "close"))
        for row in range(len(part)):
            expected = math.nan
            for step in range(1, 13):
                if row + step >= len(part):
                    break
                if low[row + step] <= close[row] * (1 - 0.001):
                    expected = -1.0
                elif high[row + step] >= close[row] * (1 + 0.002):
                    expected = 1.0
                elif step == 12:
                    expected = 0.0
                if not math.isnan(expected):
                    break
            np.testing.assert_equal(said.iloc[row], expected)
    assert set(found.values.dropna().unique()) == {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(("horizon", "up"), [(0, 0.01), (3, 0.0), (3, -1.0)])
def test_barriers_that_mean_nothing_are_refused(horizon: int, up: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        triple_barrier(make_panel(5), MINUTE, horizon, up=up)


def test_a_return_from_the_next_open_is_of_prices_that_can_be_had() -> None:
    series = make_series(20).assign(open=np.arange(1.0, 21.0))
    moved = forward_return(panel_of(BTC=series), MINUTE, 3, entry="next_open")
    assert moved.values.iloc[4] == pytest.approx(9.0 / 6.0 - 1.0)
    assert moved.known_at.iloc[4] == series.index[8] + MINUTE.delta
    assert moved.values.iloc[-4:].isna().all()
