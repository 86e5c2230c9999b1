"""Rows of a request to valid signals or refusals."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quantbus_services.gateway.rows import check_rows

ROW: dict[str, Any] = {
    "strategy_id": "demo",
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "timeframe": "1m",
    "ts": "2026-01-05T12:00:00Z",
    "action": "enter_long",
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=6,
)


def test_good_rows_keep_their_places_and_bad_ones_say_theirs() -> None:
    checked = check_rows([ROW, 5, ROW | {"weight": True}, ROW | {"score": 0.5}])
    assert checked.positions == (0, 3)
    assert [(item.row, item.field) for _, item in checked.refused] == [(1, ""), (2, "weight")]


@given(
    st.lists(JUNK | st.dictionaries(st.sampled_from([*ROW, "weight", "note"]), JUNK).map(lambda d: ROW | d))
)
def test_every_row_is_a_signal_or_a_refusal_and_none_breaks_the_others(rows: list[Any]) -> None:
    checked = check_rows([ROW, *rows])
    assert len(checked.signals) + len(checked.refused) == len(rows) + 1
    assert checked.positions[0] == 0
    json.dumps([item.value for _, item in checked.refused])


def test_a_name_in_chinese_is_a_name_and_a_look_alike_is_none() -> None:
    assert check_rows([ROW | {"pair": "币安人生/USDT", "symbol": "BINANCE:币安人生USDT"}]).signals
    assert check_rows([ROW | {"pair": "ВТС/USDT", "symbol": "BINANCE:ВТСUSDT"}]).refused


def test_what_a_refusal_shows_is_bounded() -> None:
    ((_, refused),) = check_rows([ROW | {"note": "x" * 100_000}]).refused
    assert len(refused.value) <= 201
