"""Faults of the data: candles that are partial, revised, late, missing, twice, out of order, or nonsense."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe
from quantbus_services.paper_exchange.faults.exchange import Answered, Ask
from quantbus_services.paper_exchange.faults.rules import draw
from quantbus_services.paper_exchange.faults.spec import Behave, FaultSpec, Occasion, Parameter

__all__ = ["CANDLES"]

Row = list[Any]
"""Binance's: open time, open, high, low, close, volume, close time, quote volume, trades, two taker volumes."""

_FILE = "tests/integration/ingestion/test_faults.py"
_WHOLE = f"{_FILE}::test_the_series_is_whole_after_the_fault"
_PATHS = ("*/klines",)
_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME, _CLOSE_TIME = 1, 2, 3, 4, 5, 6
_HEALS = Parameter(0.0, "how long after its close a bar is right at last; 0 never", most=1e7)


@dataclass(frozen=True, slots=True)
class _Series:
    """Whose bars an answer holds, under which rule they are spoilt."""

    event: Occasion
    step_ms: int

    def takes(self, row: Row) -> bool:
        """Tell whether a bar is spoilt: chosen, closed and not healed yet."""
        closed_for = (self.event.now_ms - row[0] - self.step_ms) / 1000
        heals = self.event.parameters.get("heals", 0.0)
        if closed_for < 0 or (heals and closed_for >= heals):
            return False
        return self.event.rule.takes_item(row[0] // self.step_ms, self.event.asked.symbol, self.step_ms)


def _on_rows(spoil: Callable[[_Series, list[Row]], list[Row]]) -> Behave:
    """Let the exchange answer, and spoil the candles of its answer."""

    async def behave(event: Occasion, ask: Ask) -> Answered:
        answer = await ask()
        name = event.asked.query.get("interval", "")
        if answer.status != 200 or name not in SUPPORTED_TIMEFRAMES:
            return answer
        rows: list[Row] = json.loads(answer.body)
        spoilt = spoil(_Series(event, Timeframe.parse(name).seconds * 1000), [list(row) for row in rows])
        if spoilt == rows:
            return answer
        return replace(answer, body=json.dumps(spoilt, separators=(",", ":")).encode())

    return behave


def _each(change: Callable[[Row], list[Row]]) -> Behave:
    """Spoil the bars that the rule takes, one by one."""
    return _on_rows(
        lambda series, rows: [new for row in rows for new in (change(row) if series.takes(row) else [row])]
    )


def _with(row: Row, **values: object) -> Row:
    new = list(row)
    for name, value in values.items():
        new[{"open": _OPEN, "high": _HIGH, "low": _LOW, "close": _CLOSE, "volume": _VOLUME}[name]] = value
    return new


def _number(row: Row, column: int) -> float:
    return float(row[column])


def _revised(row: Row) -> list[Row]:
    """Show the bar as if its last trades had not been counted yet."""
    close = (_number(row, _OPEN) + _number(row, _CLOSE)) / 2
    volume = _number(row, _VOLUME) * 0.75
    return [_with(row, close=f"{close:.8f}", volume=f"{volume:.8f}")]


def _flat(row: Row) -> list[Row]:
    price = row[_OPEN]
    return [_with(row, high=price, low=price, close=price, volume="0.00000000")]


def _crossed(row: Row) -> list[Row]:
    low, high = row[_LOW], f"{_number(row, _HIGH) * 1.001:.8f}"
    return [_with(row, high=low, low=high)]


def _partial_last(series: _Series, rows: list[Row]) -> list[Row]:
    """End with the bar in progress, its close time in the past, wherever the answer reaches up to it."""
    now, step = series.event.now_ms, series.step_ms
    opened = now // step * step
    if not rows or rows[-1][0] < opened - step:
        return rows
    last = rows.pop() if rows[-1][0] == opened else _fresh(rows[-1], opened)
    last[_CLOSE_TIME] = now - 1
    return [*rows, last]


def _fresh(before: Row, opened: int) -> Row:
    price = before[_CLOSE]
    return [opened, price, price, price, price, "0.00100000", *before[6:]]


def _shuffled(series: _Series, rows: list[Row]) -> list[Row]:
    seed, symbol = series.event.rule.seed, series.event.asked.symbol
    moved = [(draw(seed, "order", symbol, row[0]) if series.takes(row) else None, row) for row in rows]
    order = iter(
        sorted(((place, row) for place, row in moved if place is not None), key=lambda item: item[0])
    )
    return [row if place is None else next(order)[1] for place, row in moved]


def _late(row: Row) -> list[Row]:
    return []


def _bars(**more: Parameter) -> Mapping[str, Parameter]:
    return MappingProxyType({"heals": _HEALS, **more})


_REFUSED = "refuses the bar, counts the reason, stores the others, and stores this one once it comes right"

CANDLES = (
    FaultSpec(
        "partial_last_candle", "candles",
        "answers end with the bar in progress, its close time in the past as if it were done",
        "tells closed from forming by the venue's clock alone; the bar is stored after its close",
        _WHOLE, _on_rows(_partial_last), _PATHS,
    ),
    FaultSpec(
        "late_candle", "candles",
        "a closed bar is absent for a while after its close",
        "asks again within its patience, then in the next cycle; a bar that never came is absent, not made up",
        _WHOLE, _each(_late), _PATHS,
        MappingProxyType({"heals": Parameter(5.0, "how long after its close a bar is absent", least=0.001)}),
        by_item=True,
    ),
    FaultSpec(
        "revised_candle", "candles",
        "a closed bar has a provisional close and volume for a while",
        "reads the last bars again in each cycle: the corrected values replace the provisional ones",
        _WHOLE, _each(_revised), _PATHS,
        MappingProxyType({"heals": Parameter(90.0, "how long after its close a bar is corrected", least=0.001)}),
        by_item=True,
    ),
    FaultSpec(
        "missing_candle", "candles",
        "bars are left out",
        "invents nothing: the bars are absent, the next backfill of the range asks for exactly these",
        _WHOLE, _each(_late), _PATHS, _bars(), by_item=True,
    ),
    FaultSpec(
        "duplicate_candle", "candles",
        "bars come twice",
        "stores one bar for each open time (the last one sent, should the two differ), and asks for what they "
        "pushed off the end of the page",
        _WHOLE, _each(lambda row: [row, list(row)]), _PATHS, _bars(), by_item=True,
    ),
    FaultSpec(
        "unordered_candle", "candles",
        "bars come out of order",
        "sorts them; the next page begins after the newest, none is lost",
        _WHOLE, _on_rows(_shuffled), _PATHS, _bars(), by_item=True,
    ),
    FaultSpec(
        "zero_volume_candle", "candles",
        "bars are flat and without volume",
        "stores them as given, since quiet markets have such bars; corrected values replace them when read again",
        f"{_FILE}::test_bars_without_volume_are_stored_as_given_and_corrected_when_read_again",
        _each(_flat), _PATHS, _bars(), by_item=True,
    ),
    FaultSpec("high_below_low", "candles", "bars have a high below their low", _REFUSED, _WHOLE,
              _each(_crossed), _PATHS, _bars(), by_item=True),
    FaultSpec("nan_candle", "candles", "bars have NaN for a close", _REFUSED, _WHOLE,
              _each(lambda row: [_with(row, close="NaN")]), _PATHS, _bars(), by_item=True),
    FaultSpec("null_candle", "candles", "bars have null for prices and volume", _REFUSED, _WHOLE,
              _each(lambda row: [[row[0], None, None, None, None, None, *row[6:]]]), _PATHS, _bars(),
              by_item=True),
    FaultSpec("misaligned_candle", "candles", "bars open half a second off", _REFUSED, _WHOLE,
              _each(lambda row: [[row[0] + 500, *row[1:]]]), _PATHS, _bars(), by_item=True),
)  # fmt: skip
