"""From a question to bars, as steps: read, resample where that was asked, refuse what nobody knows."""

from collections.abc import Sequence
from difflib import get_close_matches

from quantbus_contracts.bar_arrays import BarArrays
from quantbus_contracts.collections import candle_collection
from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.market.query import MarketQuery
from quantbus_contracts.mongo.bar_reader import read_bars
from quantbus_contracts.mongo.steps import Steps, aggregate, find
from quantbus_contracts.resample import resample
from quantbus_contracts.timeframe import Timeframe

__all__ = ["read", "stored_symbols"]

_CANDIDATES = 5


def read(query: MarketQuery) -> Steps[dict[str, BarArrays]]:
    """Return the bars by symbol, in the order of the question's symbols; a symbol without bars has an empty part.

    Raises
    ------
    UnknownInstrument
        If there are neither bars nor a market of that name.
    """
    start, end = query.stored_range
    stored = query.stored_timeframe
    found = yield from read_bars(query.symbols, stored, start, end, query.fields)
    empty = [symbol for symbol, bars in found.items() if len(bars) == 0]
    if empty:
        yield from _refuse_unknown(empty, stored)
    if query.made_from is None:
        return found
    return {
        symbol: resample(bars, stored, query.timeframe, partial=query.partial)
        for symbol, bars in found.items()
    }


def stored_symbols(timeframe: Timeframe) -> Steps[list[str]]:
    """Return every symbol that has bars of the timeframe, in order."""
    when = "date" if timeframe.is_daily else "datetime"
    rows = yield aggregate(
        candle_collection(timeframe),
        [{"$sort": {"symbol": 1, when: 1}}, {"$group": {"_id": "$symbol", when: {"$first": f"${when}"}}}],
    )
    return sorted(row["_id"] for row in rows)


def _refuse_unknown(symbols: Sequence[str], timeframe: Timeframe) -> Steps[None]:
    """Tell a symbol that has nothing in the range from one that nobody has heard of."""
    listed = yield find("crypto_instruments", {"symbol": {"$in": list(symbols)}}, {"symbol": 1, "_id": 0})
    unlisted = sorted(set(symbols) - {row["symbol"] for row in listed})
    if not unlisted:
        return
    stored = yield from stored_symbols(timeframe)
    unknown = [symbol for symbol in unlisted if symbol not in stored]
    if not unknown:
        return
    named = yield find("crypto_instruments", {}, {"symbol": 1, "_id": 0}, batch_size=50_000)
    known = sorted({*stored, *(row["symbol"] for row in named)})
    raise UnknownInstrument(_message(unknown, stored, known, timeframe), field="symbols", value=unknown[0])


def _message(
    unknown: Sequence[str], stored: Sequence[str], known: Sequence[str], timeframe: Timeframe
) -> str:
    told = ", ".join(repr(symbol) for symbol in unknown[:_CANDIDATES])
    more = f" and {len(unknown) - _CANDIDATES} more" if len(unknown) > _CANDIDATES else ""
    if not stored:
        return (
            f"found no {timeframe.name} bars of {told}{more}, nor of any other symbol: there are none on the bus yet; "
            "bring them in with `quantbus ingest backfill` or `quantbus ingest import`"
        )
    near = list(dict.fromkeys(match for symbol in unknown for match in get_close_matches(symbol, known, n=3)))
    hint = (
        f"did you mean {', '.join(near[:_CANDIDATES])}?"
        if near
        else f"there are bars of {', '.join(stored[:_CANDIDATES])}{' …' if len(stored) > _CANDIDATES else ''}"
    )
    return (
        f"expected symbols that have {timeframe.name} bars or are listed by a venue "
        f"({len(stored)} have bars), found {told}{more}; {hint}"
    )
