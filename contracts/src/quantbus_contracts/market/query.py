"""What is asked for: symbols, a range of time, fields, a timeframe; checked before anything is read. Pure.

A range is given by instants or by days. An **instant** (an aware datetime, or its ISO text with an offset) means
itself: the range is ``[start, end)`` by the open time of bars. A **day** (a date, ``'20240131'`` or ``'2024-01-31'``)
means the whole UTC day: as ``start`` its first bar, as ``end`` its last one, so both days are in. A datetime without a
time zone is refused, since nobody can know what it means.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Literal, Self

from quantbus_contracts.bar_arrays import FIELDS
from quantbus_contracts.errors import ContractError, UnknownInstrument
from quantbus_contracts.resample import Partial
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = ["TYPES", "Form", "MarketQuery", "Moment"]

Moment = datetime | date | str
"""An instant or a day; see the module."""
Form = Literal["pandas", "arrow", "polars"]
TYPES = ("crypto",)

_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9000, 1, 1, tzinfo=UTC)
_DAY_LENGTH, _MS = timedelta(days=1), timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class MarketQuery:
    """One question about bars. Symbols are sorted, each once; the range is ``[start, end)`` in whole milliseconds."""

    symbols: tuple[str, ...]
    timeframe: Timeframe
    start: datetime
    end: datetime
    fields: tuple[str, ...]
    made_from: Timeframe | None = None
    """The finer bars that the answer is made of, where it is not stored bars."""
    partial: Partial = "drop"

    @classmethod
    def of(
        cls,
        symbols: str | Iterable[str],
        start: Moment,
        end: Moment,
        fields: str | Iterable[str] | None = None,
        timeframe: str | Timeframe = "1d",
        type: str = "crypto",  # the name under which people know it
        *,
        made_from: str | Timeframe | None = None,
        partial: Partial = "drop",
    ) -> Self:
        """Check what people give.

        Raises
        ------
        ContractError
            Naming what is wrong, what was found, and what there is.
        """
        if type not in TYPES:
            raise ContractError(
                f"expected type 'crypto', the only one there is, found {type!r}", field="type"
            )
        frame = Timeframe.parse(timeframe)
        begins, ends = _instant(start, "start", last=False), _instant(end, "end", last=True)
        if begins > ends:
            raise ContractError(
                f"expected start before end, found {begins.isoformat()} and {ends.isoformat()}", field="start"
            )
        finer = Timeframe.parse(made_from) if made_from is not None else None
        return cls(_symbols(symbols), frame, begins, ends, _fields(fields), finer, partial)

    @property
    def stored_timeframe(self) -> Timeframe:
        """The timeframe of the bars that are read."""
        return self.made_from or self.timeframe

    @property
    def stored_range(self) -> tuple[datetime, datetime]:
        """The range of the bars that are read: where they are made into coarser ones, all of each that opens inside."""
        if self.made_from is None:
            return self.start, self.end
        return _ceil(self.timeframe, self.start), _ceil(self.timeframe, self.end)

    def as_dict(self) -> dict[str, object]:
        """Return the question as plain values; equal questions give equal values."""
        made = {"made_from": self.made_from.name, "partial": self.partial} if self.made_from else {}
        return {
            "symbols": list(self.symbols),
            "timeframe": self.timeframe.name,
            "start": self.start.isoformat(timespec="milliseconds"),
            "end": self.end.isoformat(timespec="milliseconds"),
            "fields": list(self.fields),
            **made,
        }


def _ceil(timeframe: Timeframe, moment: datetime) -> datetime:
    floor = timeframe.floor(moment)
    return floor if floor == moment else floor + timeframe.delta


def _symbols(given: str | Iterable[str]) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else list(given)
    if not names:
        raise ContractError(
            "expected at least one symbol such as 'BINANCE:BTCUSDT', found none", field="symbols"
        )
    return tuple(sorted({_symbol(name) for name in names}))


def _symbol(name: object) -> str:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Z0-9_]{1,32}:\S{1,64}", name):
        raise UnknownInstrument(
            f"expected a symbol such as 'BINANCE:BTCUSDT' or 'BINANCE:BTC/USDT', found {name!r}",
            field="symbols",
            value=name,
        )
    venue, _, rest = name.partition(":")
    return Instrument.from_pair(venue, rest).symbol if "/" in rest else name


def _fields(given: str | Iterable[str] | None) -> tuple[str, ...]:
    names = list(FIELDS) if given is None else [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in FIELDS:
            near = get_close_matches(str(name), FIELDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ContractError(
                f"expected fields out of {', '.join(FIELDS)}, found {name!r}{hint}",
                field="fields",
                value=name,
            )
    if not names or len(set(names)) < len(names):
        raise ContractError(f"expected at least one field, each once, found {names!r}", field="fields")
    return tuple(names)


def _instant(given: Moment, name: str, *, last: bool) -> datetime:
    """Return the instant at which a range begins, or (``last``) ends, in whole milliseconds."""
    moment = _read(given, name)
    if isinstance(moment, datetime):
        # Bars open at whole milliseconds, so the first one at or after the moment decides for either end.
        instant = _EPOCH - (_EPOCH - moment) // _MS * _MS
    else:
        instant = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
        if last and instant < _LAST:
            instant += _DAY_LENGTH
    return min(max(instant, _EPOCH), _LAST)


def _read(given: Moment, name: str) -> datetime | date:
    found: object = given
    if isinstance(given, str):
        try:
            day = _DAY.fullmatch(given)
            found = date(*map(int, day.groups())) if day else datetime.fromisoformat(given)
        except ValueError:
            pass
    if isinstance(found, datetime):
        if found.tzinfo is None:
            raise ContractError(
                f"{name}: expected an aware datetime such as datetime(2024, 1, 31, tzinfo=UTC), or a day such as "
                f"'20240131', found the naive {given!r}; say which time zone it is in",
                field=name,
                value=given,
            )
        return found.astimezone(UTC)
    if isinstance(found, date):
        return found
    raise ContractError(
        f"{name}: expected a day such as '20240131', or an instant such as '2024-01-31T12:00Z', found {given!r}",
        field=name,
        value=given,
    )
