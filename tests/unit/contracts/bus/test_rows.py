"""Rows are completed from what is declared and judged one by one."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts import Strategy
from quantbus_contracts.bus.rows import Given, check_rows, rows_of, strategy_ids
from quantbus_contracts.errors import ContractError
from quantbus_contracts.testing import make_signal

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DECLARED = Strategy(strategy_id="s", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT", "ETH/USDT"))
ROW: dict[str, Any] = {"strategy_id": "s", "pair": "BTC/USDT", "ts": NOON, "score": 0.5}


def test_a_declared_strategy_needs_neither_symbol_nor_timeframe() -> None:
    [signal] = check_rows([ROW], Given(), {"s": DECLARED}).signals
    assert (signal.symbol, signal.timeframe) == ("BINANCE:BTCUSDT", "1m")


def test_a_symbol_alone_is_found_among_the_declared_pairs() -> None:
    row = {**ROW, "symbol": "BINANCE:ETHUSDT"}
    del row["pair"]
    assert check_rows([row], Given(), {"s": DECLARED}).signals[0].pair == "ETH/USDT"
    unknown = row | {"symbol": "BINANCE:SOLUSDT"}
    assert check_rows([unknown], Given(), {"s": DECLARED}).rejections[0].field == "pair"


def test_what_is_given_for_all_rows_fills_gaps_and_no_more() -> None:
    given_for_all = Given("s", "1m", "BINANCE", "backfill")
    row = {"pair": "BTC/USDT", "ts": NOON, "score": 0.5}
    [one, other] = check_rows([row, row | {"strategy_id": "t", "origin": "live"}], given_for_all, {}).signals
    assert (one.strategy_id, one.symbol, one.timeframe, one.origin) == (
        "s",
        "BINANCE:BTCUSDT",
        "1m",
        "backfill",
    )
    assert (other.strategy_id, other.origin) == ("t", "live")


@pytest.mark.parametrize("missing", ["strategy_id", "symbol", "pair", "timeframe", "ts"])
def test_a_missing_field_is_named_with_what_to_do(missing: str) -> None:
    row = make_signal().model_dump(exclude_none=True)
    del row[missing]
    [refused] = check_rows([row], Given(), {}).rejections
    assert (refused.row, refused.field) == (0, missing)
    assert refused.reason.startswith("expected ")


def test_an_unknown_field_is_refused_with_the_one_that_was_meant() -> None:
    [refused] = check_rows([{**ROW, "leverag": 2.0}], Given(), {"s": DECLARED}).rejections
    assert (refused.field, refused.value) == ("leverag", "2.0")
    assert "did you mean leverage?" in refused.reason


def test_a_pair_that_cannot_be_read_is_blamed_and_not_the_symbol_it_lacks() -> None:
    [refused] = check_rows([{**ROW, "pair": "BTCUSDT"}], Given(), {"s": DECLARED}).rejections
    assert refused.field == "pair"


@pytest.mark.parametrize("given_rows", ["text", b"bytes", 7, None])
def test_what_has_no_rows_is_refused_as_a_whole(given_rows: Any) -> None:
    with pytest.raises(ContractError, match="expected a data frame"):
        rows_of(given_rows)


def test_one_row_may_stand_alone() -> None:
    assert rows_of(ROW) == [ROW]
    assert rows_of(make_signal()) == [make_signal()]
    assert rows_of(row for row in [ROW]) == [ROW]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.just(NOON),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*make_signal().model_dump(), "$where", "a.b", ""])


@given(st.lists(st.dictionaries(names, json_values) | json_values, max_size=6))
def test_every_row_ends_as_a_signal_or_a_rejection_whatever_it_is(rows: list[Any]) -> None:
    good = make_signal()
    strategy_ids([*rows, good], Given())
    checked = check_rows([*rows, good], Given("s", venue="BINANCE"), {"s": DECLARED})
    assert good in checked.signals
    ended = [*checked.positions, *(item.row for item in checked.rejections)]
    assert sorted(ended) == list(range(len(rows) + 1))
    assert all(len(item.value) <= 201 for item in checked.rejections)
