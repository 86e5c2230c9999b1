"""The laws of labels, over every kind; and planted faults that each law must catch."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quantbus_research.labels import KINDS, Labels, forward_return, triple_barrier
from tests.unit.research.factor_panels import SYMBOLS, full_panel, gappy_panel, jumpy_panel, still_panel
from tests.unit.research.panels import MINUTE

BARS, HORIZON = 140, 7
Compute = Callable[[pd.DataFrame], Labels]

EVERY: dict[str, Compute] = {
    "forward_return": lambda panel: KINDS["forward_return"](panel, MINUTE, HORIZON),
    "forward_return from the next open": lambda panel: KINDS["forward_return"](
        panel, MINUTE, HORIZON, entry="next_open"
    ),
    "direction": lambda panel: KINDS["direction"](panel, MINUTE, HORIZON),
    "direction from the next open": lambda panel: KINDS["direction"](
        panel, MINUTE, HORIZON, entry="next_open"
    ),
    "triple_barrier": lambda panel: KINDS["triple_barrier"](panel, MINUTE, HORIZON, up=0.002, down=0.0015),
    "triple_barrier by width": lambda panel: triple_barrier(
        panel, MINUTE, HORIZON, up=2.0, down=1.0, width=panel["high"] / panel["low"] - 1.0
    ),
}


def times_of(panel: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(panel.index.get_level_values(1))


def law_known_when_it_says(compute: Compute) -> None:
    """What is known by now needs no bar that closes later, and is all that the bars until now tell."""
    for panel in (full_panel(BARS), jumpy_panel(BARS)):
        whole, times = compute(panel), times_of(panel)
        for last in (0, 9, 70, 75, BARS - 2):
            newest = times.unique()[last]
            seen = panel[times <= newest]
            known = whole.known_by(newest + MINUTE.delta).loc[seen.index]
            found = compute(seen)
            pd.testing.assert_series_equal(found.values, known, check_exact=True)
            told = whole.known_at.where(known.notna().reindex(panel.index, fill_value=False)).loc[seen.index]
            pd.testing.assert_series_equal(found.known_at, told, check_exact=True)


def law_other_future(compute: Compute) -> None:
    """Bars that come out differently change nothing that was known before."""
    panel = full_panel(BARS)
    newest = times_of(panel).unique()[70]
    other = panel.copy()
    other.loc[np.asarray(times_of(panel) > newest), ["open", "high", "low", "close"]] *= 3.0
    now = newest + MINUTE.delta
    pd.testing.assert_series_equal(
        compute(other).known_by(now), compute(panel).known_by(now), check_exact=True
    )


def law_order_of_symbols(compute: Compute) -> None:
    """The order of symbols and how their rows lie among each other change nothing; nor do other symbols."""
    panel = gappy_panel(BARS)
    whole = compute(panel)
    assert whole.values.index.equals(panel.index)
    others = [
        pd.concat([part for _, part in reversed(list(panel.groupby(level=0)))]),
        panel.sort_index(level=1, sort_remaining=False, kind="stable"),
        *(panel.loc[[symbol]] for symbol in SYMBOLS),
    ]
    for other in others:
        found = compute(other)
        assert found.values.index.equals(other.index)
        pd.testing.assert_series_equal(found.values, whole.values.loc[other.index], check_exact=True)
        pd.testing.assert_series_equal(found.known_at, whole.known_at.loc[other.index], check_exact=True)


def law_exists_or_not(compute: Compute) -> None:
    """A value is finite and has its moment, after its bar is closed; or there is neither, as across a gap."""
    panels = (
        full_panel(BARS),
        gappy_panel(BARS),
        jumpy_panel(BARS),
        still_panel(BARS, volume=0.0),
        full_panel(3),
    )
    for panel in panels:
        labels = compute(panel)
        there = labels.values.notna()
        assert np.isfinite(labels.values[there]).all()
        assert (labels.known_at.notna() == there).all()
        opened = pd.Series(times_of(panel), index=panel.index)
        wait = (labels.known_at - opened)[there]
        assert (wait > MINUTE.delta).all()
        assert (wait <= (HORIZON + 2) * MINUTE.delta).all()


def law_no_label_across_a_gap(compute: Compute) -> None:
    """Where a bar before the moment is missing there is no label."""
    panel = gappy_panel(BARS)
    known_at = compute(panel).known_at.dropna()
    opened = set(panel.index)
    for symbol, start, until in zip(*map(known_at.index.get_level_values, (0, 1)), known_at, strict=True):
        bars = pd.date_range(start, until - MINUTE.delta, freq=MINUTE.delta)
        assert all((symbol, bar) in opened for bar in bars)


LAWS: tuple[Callable[[Compute], None], ...] = (
    law_known_when_it_says,
    law_other_future,
    law_order_of_symbols,
    law_exists_or_not,
    law_no_label_across_a_gap,
)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_label_keeps_the_law(law: Callable[[Compute], None], name: str) -> None:
    law(EVERY[name])


def test_every_kind_stands_under_the_laws_and_says_when_it_is_known() -> None:
    assert {name.split(" ")[0] for name in EVERY} == set(KINDS)
    assert all(kind.name == name and kind.unit and kind.known for name, kind in KINDS.items())


def shifted(minutes: int) -> Compute:
    def compute(panel: pd.DataFrame) -> Labels:
        honest = forward_return(panel, MINUTE, HORIZON)
        return replace(honest, known_at=honest.known_at + pd.Timedelta(minutes=minutes))

    return compute


@pytest.mark.parametrize("minutes", [-1, 1])
def test_a_label_that_is_known_earlier_or_later_than_it_says_is_caught(minutes: int) -> None:
    with pytest.raises(AssertionError):
        law_known_when_it_says(shifted(minutes))


def test_a_label_scaled_by_the_whole_frame_is_caught() -> None:
    def scaled(panel: pd.DataFrame) -> Labels:
        honest = forward_return(panel, MINUTE, HORIZON)
        return replace(honest, values=honest.values / honest.values.std())

    for law in (law_known_when_it_says, law_other_future):
        with pytest.raises(AssertionError):
            law(scaled)


def test_a_label_that_runs_over_into_the_next_symbol_or_across_a_gap_is_caught() -> None:
    def by_row(panel: pd.DataFrame) -> Labels:
        values = panel["close"].shift(-HORIZON) / panel["close"] - 1.0
        opened = pd.Series(times_of(panel), index=panel.index)
        known_at = (opened + (HORIZON + 1) * MINUTE.delta).where(values.notna())
        return Labels(values, known_at)

    for law in (law_order_of_symbols, law_no_label_across_a_gap, law_known_when_it_says):
        with pytest.raises(AssertionError):
            law(by_row)


def test_a_value_without_its_moment_is_caught() -> None:
    def timeless(panel: pd.DataFrame) -> Labels:
        honest = forward_return(panel, MINUTE, HORIZON)
        return replace(honest, known_at=honest.known_at.where(honest.values > 0))

    with pytest.raises(AssertionError):
        law_exists_or_not(timeless)
