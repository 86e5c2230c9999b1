"""Which bars have a look-back that crosses missing bars."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.mongo.gap_flags import gap_flags, with_gap_flags
from quantbus_contracts.schema import Gap, GapState
from quantbus_contracts.timeframe import Timeframe

MINUTE = Timeframe.parse("1m")
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
BTC = "BINANCE:BTCUSDT"


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def frame_of(minutes: Sequence[int], symbol: str = BTC) -> pd.DataFrame:
    index = pd.MultiIndex.from_arrays(
        [[symbol] * len(minutes), pd.DatetimeIndex([at(minute) for minute in minutes]).as_unit("ms")],
        names=["symbol", "datetime"],
    )
    return pd.DataFrame({"close": 1.0}, index=index)


def gap_of(start: int, end: int, state: GapState = GapState.OPEN, symbol: str = BTC) -> Gap:
    return Gap(
        symbol=symbol,
        timeframe="1m",
        start=at(start),
        end=at(end),
        state=state,
        first_seen=at(100),
        source="test",
    )


def flags(minutes: Sequence[int], known: Sequence[Gap], lookback: int) -> list[str]:
    return list(gap_flags(frame_of(minutes), known, MINUTE, lookback_bars=lookback))


def test_bars_are_flagged_while_their_look_back_crosses_the_hole() -> None:
    assert flags([0, 1, 4, 5, 6, 7], [], 3) == ["none", "none", "open", "open", "none", "none"]


def test_a_look_back_of_one_bar_crosses_nothing() -> None:
    assert set(flags([0, 1, 4, 5], [gap_of(2, 4)], 1)) == {"none"}


def test_a_hole_that_the_venue_has_confirmed_is_called_empty() -> None:
    assert flags([0, 1, 4, 5], [gap_of(2, 4, GapState.EMPTY)], 2) == ["none", "none", "empty", "none"]


def test_a_hole_that_is_confirmed_in_part_counts_as_open() -> None:
    assert flags([0, 1, 5, 6], [gap_of(2, 4, GapState.EMPTY)], 2)[2] == "open"


def test_the_bars_before_the_frame_are_judged_by_the_ledger() -> None:
    assert flags([0, 1, 2], [gap_of(-2, 0)], 2) == ["open", "none", "none"]
    assert flags([0, 1, 2], [gap_of(-3, -2, GapState.EMPTY)], 5) == ["empty", "empty", "none"]
    assert flags([0, 1, 2], [gap_of(-2, 0, GapState.REPAIRED)], 3) == ["none", "none", "none"]


def test_bars_that_are_there_belie_what_the_ledger_still_says() -> None:
    assert set(flags([0, 1, 2, 3], [gap_of(1, 3)], 4)) == {"none"}


def test_symbols_do_not_mix() -> None:
    both = pd.concat([frame_of([0, 1, 4]), frame_of([0, 1, 2, 3, 4], "BINANCE:ETHUSDT")])
    found = gap_flags(both, [gap_of(-1, 0, symbol="BINANCE:ETHUSDT")], MINUTE, lookback_bars=2)
    assert list(found[BTC]) == ["none", "none", "open"]
    assert list(found["BINANCE:ETHUSDT"]) == ["open", "none", "none", "none", "none"]


def test_an_empty_frame_has_an_empty_column_of_the_same_kind() -> None:
    class Nothing:
        def find(self, *_: object) -> list[Gap]:
            raise AssertionError("there is nothing to ask for")

    flagged = with_gap_flags(frame_of([]), Nothing(), MINUTE, lookback_bars=5)
    assert list(flagged["gap"].cat.categories) == ["none", "empty", "open"]


def test_no_look_back_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        gap_flags(frame_of([0]), [], MINUTE, lookback_bars=0)


@given(st.sets(st.integers(0, 60), min_size=1), st.sets(st.integers(0, 60)), st.integers(1, 20))
def test_a_flag_says_what_counting_by_hand_says(there: set[int], empty: set[int], lookback: int) -> None:
    minutes = sorted(there)
    known = [gap_of(minute, minute + 1, GapState.EMPTY) for minute in sorted(empty)]

    def by_hand(minute: int) -> str:
        missing = set(range(max(minute - lookback + 1, minutes[0]), minute + 1)) - there
        before = {m for m in empty if minute - lookback + 1 <= m < minutes[0]}
        return "open" if missing - empty else "empty" if missing | before else "none"

    assert flags(minutes, known, lookback) == [by_hand(minute) for minute in minutes]
