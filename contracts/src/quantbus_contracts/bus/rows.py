"""Rows as people give them, to valid signals or rejections; pure. A bad row never takes good rows with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from quantbus_contracts.bus.frames import Frame, is_frame, rows_of_frame
from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema import Rejection, Signal, Strategy
from quantbus_contracts.schema.faults import reason_of
from quantbus_contracts.symbols import Instrument

__all__ = ["CheckedRows", "Given", "Rows", "check_rows", "rejection", "rows_of", "strategy_ids"]

Rows = Iterable[Signal | Mapping[str, object]] | Signal | Mapping[str, object] | Frame
"""What may be published: models or mappings of field names to values, one or many, or a data frame."""

_SHOWN = 200
_MISSING = {
    "strategy_id": "expected a strategy_id: in the row, or as publish(…, strategy_id=…)",
    "symbol": "expected a symbol (EXCHANGE:BASEQUOTE), or a pair and the venue it trades on: "
    "publish(…, venue='BINANCE'), or declare the strategy",
    "pair": "expected a pair (BASE/QUOTE), or the symbol of a pair that the strategy is declared for",
    "timeframe": "expected a timeframe: in the row, as publish(…, timeframe='1h'), or declared",
    "ts": "expected ts, the open time of the bar: a column or field, or an index of times",
}


@dataclass(frozen=True, slots=True)
class Given:
    """What was said about all rows at once; a row's own word goes first."""

    strategy_id: str | None = None
    timeframe: str | None = None
    venue: str | None = None
    origin: str | None = None

    @property
    def fields(self) -> dict[str, object]:
        """The fields that this amounts to."""
        named = {"strategy_id": self.strategy_id, "timeframe": self.timeframe, "origin": self.origin}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(slots=True)
class CheckedRows:
    """The valid signals with their positions in the input, and the refused rows."""

    signals: list[Signal] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def by_strategy(self) -> dict[str, list[int]]:
        """Return the indexes of the signals of each strategy, in order."""
        found: dict[str, list[int]] = {}
        for index, signal in enumerate(self.signals):
            found.setdefault(signal.strategy_id, []).append(index)
        return found


def rows_of(rows: Rows) -> Sequence[Any]:
    """Return the rows of whatever was given to publish.

    Raises
    ------
    ContractError
        If it is nothing that has rows.
    """
    if is_frame(rows):
        return rows_of_frame(rows)
    if isinstance(rows, (Signal, Mapping)):
        return [rows]
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Iterable):
        raise ContractError(
            f"expected a data frame, signals or mappings to publish, found {type(rows).__name__} {rows!r:.60}"
        )
    return list(rows)


def strategy_ids(rows: Sequence[Any], given: Given) -> set[str]:
    """Return the strategies that the rows seem to be about."""
    names = (
        row.strategy_id
        if isinstance(row, Signal)
        else (row.get("strategy_id") or given.strategy_id if isinstance(row, Mapping) else None)
        for row in rows
    )
    return {
        name for name in names if isinstance(name, str)
    }  # a row may hold anything, and be refused for it later


def check_rows(rows: Sequence[Any], given: Given, strategies: Mapping[str, Strategy]) -> CheckedRows:
    """Complete every row from what was given and declared, and validate it on its own."""
    checked = CheckedRows()
    for position, row in enumerate(rows):
        try:
            signal = (
                row if isinstance(row, Signal) else Signal.model_validate(_completed(row, given, strategies))
            )
        except ValidationError as error:
            checked.rejections.append(_rejection(position, error))
        except ContractError as error:
            checked.rejections.append(rejection(position, error.field, error.value, error.reason))
        except (TypeError, ValueError):
            reason = "expected a Signal or a mapping of field names to values"
            checked.rejections.append(rejection(position, "", row, reason))
        else:
            checked.signals.append(signal)
            checked.positions.append(position)
    return checked


def _completed(
    row: Mapping[str, object], given: Given, strategies: Mapping[str, Strategy]
) -> dict[str, object]:
    fields = {**given.fields, **{name: value for name, value in dict(row).items() if value is not None}}
    strategy = strategies.get(str(fields.get("strategy_id")))
    if "timeframe" not in fields and strategy is not None:
        fields["timeframe"] = strategy.timeframe
    pair, symbol = fields.get("pair"), fields.get("symbol")
    venue = strategy.venue if strategy is not None else given.venue
    if symbol is None and isinstance(pair, str) and venue is not None:
        fields["symbol"] = _symbol_of(venue, pair)
    elif pair is None and isinstance(symbol, str) and strategy is not None:
        named = _pair_of(symbol, strategy.venue, strategy.pairs)
        if named is not None:
            fields["pair"] = named
    return fields


@lru_cache(maxsize=10_000)
def _symbol_of(venue: str, pair: str) -> str:
    return Instrument.from_pair(venue, pair).symbol


def _pair_of(symbol: str, venue: str, pairs: tuple[str, ...]) -> str | None:
    return _pairs_by_symbol(venue, pairs).get(symbol)


@lru_cache(maxsize=64)
def _pairs_by_symbol(venue: str, pairs: tuple[str, ...]) -> dict[str, str]:
    return {_symbol_of(venue, pair): pair for pair in pairs}


def rejection(position: int, name: str, value: object, reason: str) -> Rejection:
    """Return a rejection whose value is shown in bounded length."""
    shown = value if isinstance(value, str) else repr(value)
    return Rejection(position, name, shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…", reason)


def _rejection(position: int, error: ValidationError) -> Rejection:
    first = error.errors(include_url=False)[0]
    message = reason_of(first)
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return Rejection(position, name, "nothing", _MISSING.get(name, message))
    if first["type"] == "extra_forbidden":
        near = get_close_matches(name, Signal.model_fields, n=1)
        message = f"a signal has no field of this name{f'; did you mean {near[0]}?' if near else ''}"
    found = first["input"]
    if not name:  # a rule about several fields names the one to blame first: "ts: no 1m bar opens at …"
        head, _, rest = message.partition(": ")
        if head in Signal.model_fields and isinstance(found, Mapping):
            name, message, found = head, rest, found.get(head)
    return rejection(position, name, repr(found), message)
