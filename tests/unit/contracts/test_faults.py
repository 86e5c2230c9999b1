"""Why a row was refused, in words for whoever sent it."""

from typing import Any

import pytest
from pydantic import ValidationError

from quantbus_contracts.schema import Signal
from quantbus_contracts.schema.faults import reason_of

GOOD = {
    "strategy_id": "demo",
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "timeframe": "1h",
    "ts": "2026-01-05T12:00:00Z",
    "score": 0.1,
}


def told(**bad: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Signal.model_validate(GOOD | bad)
    return reason_of(refused.value.errors()[0])


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ({"pair": "BTCUSDT"}, "expected a pair such as BTC/USDT"),
        ({"pair": 5}, "expected a pair such as BTC/USDT"),
        ({"symbol": "binance:BTCUSDT"}, "expected a symbol in capitals such as BINANCE:BTCUSDT"),
        ({"strategy_id": "a b"}, "expected 1 to 64 letters, digits, dots, dashes and underscores"),
        ({"ts": "yesterday"}, "expected a time with its zone, such as 2026-01-05T12:00:00Z"),
        (
            {"ts": "2026-13-05T12:00:00Z"},
            "2026-01-05T12:00:00Z; month value is outside expected range of 1-12",
        ),
        ({"ts": "2026-01-05T12:00:00"}, "append Z if it is UTC"),
        ({"valid_until": "soon"}, "expected a time with its zone"),
        ({"ts": "2026-01-05T12:07:00Z"}, "ts: no 1h bar opens at"),
        ({"weight": 7.5}, "Input should be less than or equal to 1"),
    ],
)
def test_a_fault_says_what_was_expected(bad: dict[str, Any], expected: str) -> None:
    assert expected in told(**bad)


def test_no_reason_shows_a_pattern_or_speaks_to_programmers() -> None:
    cases: list[dict[str, Any]] = [
        {"pair": "x"},
        {"symbol": "x"},
        {"strategy_id": " "},
        {"ts": "x"},
        {"computed_at": []},
    ]
    for bad in cases:
        assert "pattern" not in told(**bad)
        assert "datetime" not in told(**bad)
