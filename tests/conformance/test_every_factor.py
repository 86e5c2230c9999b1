"""The laws of factors, over the whole catalogue and every normaliser; and planted faults that each law must catch."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from quantbus_research.factors import NORMALISERS, Factor, catalogue, compute_factors, normalised, select
from quantbus_research.factors.expressions import (
    Floats,
    Node,
    Operator,
    across_mean,
    column,
    evaluate,
    make,
    mean,
)
from tests.unit.research.factor_panels import (
    SYMBOLS,
    full_panel,
    gappy_panel,
    jumpy_panel,
    still_panel,
)

BARS = 480
WINDOW = 40

BASES = ("rsi_14", "volume_zscore_30", "log_return_1", "return_deviation_24")
NORMALISED = [
    normalised(factor, normaliser, WINDOW if normaliser.has_window else None)
    for factor in select(BASES)
    for normaliser in NORMALISERS.values()
]
EVERY = [*catalogue().values(), *NORMALISED]


def named(found: pd.DataFrame, wrong: NDArray[np.bool_]) -> set[str]:
    """Return the columns in which something is wrong."""
    return {str(name) for place, name in enumerate(found.columns) if wrong[:, place].any()}


def differing(found: pd.DataFrame, expected: pd.DataFrame) -> set[str]:
    """Return the columns that are not equal bit for bit."""
    assert found.index.equals(expected.index)
    left, right = found.to_numpy(), expected[found.columns].to_numpy()
    unequal = np.asarray(~((left == right) | (np.isnan(left) & np.isnan(right))))
    return named(found, unequal)


def times_of(panel: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(panel.index.get_level_values(1))


def warmed_up(found: pd.DataFrame, factors: Sequence[Factor]) -> pd.DataFrame:
    """Say where each factor has as many bars of its symbol as it declares."""
    place = found.groupby(level=0).cumcount().to_numpy()
    declared = np.array([factor.lookback_bars for factor in factors])
    return pd.DataFrame(place[:, None] >= declared - 1, index=found.index, columns=found.columns)


def law_truncation(factors: Sequence[Factor]) -> set[str]:
    """Bars that do not exist yet change nothing."""
    panel = full_panel(BARS)
    whole, times = compute_factors(panel, factors), times_of(panel)
    longest = max(factor.lookback_bars for factor in factors)
    broken: set[str] = set()
    for last in (3, 61, longest - 1, longest + 6, BARS - 2):
        seen = panel[times <= times.unique()[last]]
        broken |= differing(compute_factors(seen, factors), whole.loc[seen.index])
    return broken


def law_other_future(factors: Sequence[Factor]) -> set[str]:
    """Bars that come out differently change nothing before them, in no symbol."""
    panel = full_panel(BARS)
    past = np.asarray(times_of(panel) <= times_of(panel).unique()[BARS // 2])
    other = panel.copy()
    other.loc[~past, ["open", "high", "low", "close"]] *= 3.0
    other.loc[~past, ["volume", "funding", "basis_bps", "open_interest", "bid_depth", "spread_bps"]] += (
        1_000.0
    )
    found, whole = compute_factors(other, factors), compute_factors(panel, factors)
    return differing(found[past], whole[past])


def law_shorter_history(factors: Sequence[Factor]) -> set[str]:
    """A series that begins later gives the same bits once it is as long as the look-back says."""
    panel = full_panel(BARS)
    whole, times = compute_factors(panel, factors), times_of(panel)
    broken: set[str] = set()
    for first in (37, 300):
        late = compute_factors(panel[times >= times.unique()[first]], factors)
        warm = warmed_up(late, factors)
        broken |= differing(late.where(warm), whole.loc[late.index].where(warm))
        assert warm.any(axis=None)
    return broken


def law_warm_up(factors: Sequence[Factor]) -> set[str]:
    """NaN exactly while it warms up, finite ever after, on any series that is a valid one."""
    broken: set[str] = set()
    panels = (
        full_panel(BARS),
        gappy_panel(BARS),
        jumpy_panel(BARS),
        still_panel(BARS, volume=0.0),
        still_panel(BARS, volume=2.0),
        full_panel(5),
    )
    for panel in panels:
        found = compute_factors(panel, factors)
        sound = np.where(warmed_up(found, factors), np.isfinite(found), found.isna())
        broken |= named(found, ~sound)
    return broken


def law_order_of_symbols(factors: Sequence[Factor]) -> set[str]:
    """The order of symbols and how their rows lie among each other change nothing; the index is kept."""
    panel = gappy_panel(BARS)
    whole = compute_factors(panel, factors)
    turned = pd.concat([part for _, part in reversed(list(panel.groupby(level=0)))])
    mixed = panel.sort_index(level=1, sort_remaining=False, kind="stable")
    broken: set[str] = set()
    for other in (turned, mixed):
        found = compute_factors(other, factors)
        assert found.index.equals(other.index)
        broken |= differing(found, whole.loc[other.index])
    return broken


def law_alone(factors: Sequence[Factor]) -> set[str]:
    """A factor that does not compare symbols is the same without the others."""
    panel = full_panel(BARS)
    own = [factor for factor in factors if not factor.is_across]
    whole = compute_factors(panel, own)
    broken: set[str] = set()
    for symbol in SYMBOLS:
        broken |= differing(compute_factors(panel.loc[[symbol]], own), whole.loc[[symbol]])
    return broken


def law_no_memory(factors: Sequence[Factor]) -> set[str]:
    """Asked again about the same bars it says the same."""
    panel = full_panel(BARS)
    return differing(compute_factors(panel, factors), compute_factors(panel.copy(), factors))


LAWS: tuple[Callable[[Sequence[Factor]], set[str]], ...] = (
    law_truncation,
    law_other_future,
    law_shorter_history,
    law_warm_up,
    law_order_of_symbols,
    law_alone,
    law_no_memory,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_every_factor_and_normaliser_keeps_the_law(law: Callable[[Sequence[Factor]], set[str]]) -> None:
    assert law(EVERY) == set()


def test_pieces_and_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = full_panel(1_500)
    whole = compute_factors(panel, EVERY)
    monkeypatch.setattr(f"{evaluate.__module__}.PIECE_BARS", 64)
    assert differing(compute_factors(panel, EVERY), whole) == set()
    assert differing(compute_factors(panel, EVERY, workers=3), whole) == set()


def test_a_factor_computed_among_others_is_the_same_as_by_itself() -> None:
    panel = full_panel(260)
    together = compute_factors(panel, EVERY)
    for factor in EVERY[::7]:
        assert differing(compute_factors(panel, [factor]), together[[factor.name]]) == set()


def planted(expression: Node) -> Factor:
    return Factor(name="planted", family="none", unit="none", parameters={}, expression=expression)


def by_kernel(kernel: Callable[[Floats], Floats], reach: int = 0) -> Factor:
    operator = Operator("fault", kernel, "window", lambda: reach)
    return planted(make(operator, column("close")))


def next_close(close: Floats) -> Floats:
    return np.concatenate([close[1:], close[-1:]])


def centred_mean(close: Floats) -> Floats:
    return pd.Series(close).rolling(5, center=True, min_periods=1).mean().to_numpy()


def whole_sample_score(close: Floats) -> Floats:
    if not len(close):
        return close
    return (close - float(close.mean())) / (float(close.std()) + 1.0)


def filled_backward(close: Floats) -> Floats:
    holes = np.where(np.arange(len(close)) % 3 == 0, np.nan, close)
    return np.asarray(pd.Series(holes).bfill().ffill(), dtype=np.float64)


def running_sum(close: Floats) -> Floats:
    return np.cumsum(close)


def online_mean(close: Floats) -> Floats:
    return pd.Series(close).rolling(10).mean().to_numpy(np.float64)[9:]


@pytest.mark.parametrize("fault", [next_close, centred_mean, whole_sample_score, filled_backward])
@pytest.mark.parametrize("law", [law_truncation, law_other_future])
def test_a_planted_look_into_the_future_is_caught(
    fault: Callable[[Floats], Floats], law: Callable[[Sequence[Factor]], set[str]]
) -> None:
    assert law([by_kernel(fault)]) == {"planted"}


@pytest.mark.parametrize("law", [law_truncation, law_other_future])
def test_a_cross_section_that_knows_later_bars_is_caught(
    law: Callable[[Sequence[Factor]], set[str]],
) -> None:
    def over_all_times(grid: Floats) -> Floats:
        return np.where(np.isnan(grid), np.nan, grid - np.nanmean(grid))

    fault = Operator("fault", over_all_times, "across")
    assert law([planted(make(fault, column("close")))]) == {"planted"}


@pytest.mark.parametrize(("fault", "reach"), [(running_sum, 0), (online_mean, 9)])
def test_a_factor_that_depends_on_where_the_series_begins_is_caught(
    fault: Callable[[Floats], Floats], reach: int
) -> None:
    assert law_shorter_history([by_kernel(fault, reach)]) == {"planted"}


@pytest.mark.parametrize("declared", [14, 16])
def test_a_wrongly_declared_look_back_is_caught(declared: int) -> None:
    honest = by_kernel(lambda close: close[15:] - close[:-15], 15)
    assert law_warm_up([honest]) == set()
    fault = by_kernel(lambda close: close[15:] - close[: max(len(close) - 15, 0)], declared)
    assert law_warm_up([fault]) == {"planted"}


def test_a_division_by_nothing_is_caught() -> None:
    change = column("close") - mean(column("close"), 3)
    assert law_warm_up([planted(change / change)]) == {"planted"}


def test_a_factor_that_looks_at_the_symbol_computed_before_is_caught() -> None:
    before: list[float] = [0.0]

    def against_the_last(close: Floats) -> Floats:
        found = close - before[-1]
        before.append(float(close[-1]))
        return found

    assert law_order_of_symbols([by_kernel(against_the_last)]) == {"planted"}


def test_a_factor_that_hides_that_it_compares_symbols_is_caught() -> None:
    class Hiding(Factor):
        @property
        def is_across(self) -> bool:
            return False

    hidden = Hiding("planted", "none", "none", {}, column("close") - across_mean(column("close")))
    assert law_alone([hidden]) == {"planted"}


def test_a_factor_with_a_memory_is_caught() -> None:
    calls: list[int] = []

    def counting(close: Floats) -> Floats:
        calls.append(1)
        return close + len(calls)

    assert law_no_memory([by_kernel(counting)]) == {"planted"}


def test_every_catalogue_entry_stands_under_the_laws() -> None:
    assert {factor.name for factor in EVERY} >= set(catalogue())
    assert {factor.name.partition("__")[2].rstrip("_0123456789") for factor in NORMALISED} == set(NORMALISERS)
