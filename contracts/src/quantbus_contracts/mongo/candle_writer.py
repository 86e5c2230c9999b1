"""Writes closed bars: find what stands, insert what is missing, correct what differs.

One upsert is one storage transaction, while inserts are grouped; finding the keys of a range first and
inserting only what is missing is several times faster than upserting everything, and a replay writes nothing.
A correction and its row in ``crypto_market_revisions`` are one transaction; see
`quantbus_contracts.mongo.candle_revisions`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from quantbus_contracts.collections import candle_collection
from quantbus_contracts.mongo.bar_insertion import insert_bars
from quantbus_contracts.mongo.bars import VALUES, Bar
from quantbus_contracts.mongo.candle_revisions import correct
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import candle_id
from quantbus_contracts.mongo.steps import Row, Steps, find, server_time
from quantbus_contracts.schema import Candle, CandleReport
from quantbus_contracts.timeframe import Timeframe

if TYPE_CHECKING:
    from quantbus_contracts.mongo.candle_columns import CandleColumns

__all__ = ["AsyncCandleWriter", "CandleWriter", "write_bars"]


BATCH = 10_000


def write_bars(symbol: str, timeframe: Timeframe, source: str, bars: Sequence[Bar]) -> Steps[CandleReport]:
    """Bring one batch of valid bars of one series to the bus; ``bars`` are sorted by open time, without twins.

    The steps may be repeated at will: after a broken connection the same call completes the work.
    """
    if not bars:
        return CandleReport()
    collection = candle_collection(timeframe)
    stored = yield from _stored_values(collection, symbol, timeframe, bars[0][0], bars[-1][0])
    now: datetime = yield server_time()
    ids = [candle_id(symbol, bar[0]) for bar in bars]
    missing = {
        bar[0]: _row(symbol, timeframe, source, identity, bar, now)
        for identity, bar in zip(ids, bars, strict=True)
        if identity not in stored
    }
    changed: dict[str, tuple[float, ...]] = {
        identity: bar[1:]
        for identity, bar in zip(ids, bars, strict=True)
        if identity in stored and stored[identity] != bar[1:]
    }
    raced = yield from insert_bars(symbol, timeframe, missing, now)
    changed |= {row["_id"]: tuple(row[name] for name in VALUES) for row in raced}
    updated = yield from correct(timeframe, changed, source)
    inserted = len(missing) - len(raced)
    return CandleReport(inserted=inserted, updated=updated, unchanged=len(bars) - inserted - updated)


def _stored_values(
    collection: str, symbol: str, timeframe: Timeframe, first: datetime, last: datetime
) -> Steps[dict[str, tuple[float, ...]]]:
    when, low, high = ("datetime", first, last)
    if timeframe.is_daily:
        when, low, high = "date", f"{first:%Y%m%d}", f"{last:%Y%m%d}"  # type: ignore[assignment]
    rows = yield find(
        collection,
        {"symbol": symbol, when: {"$gte": low, "$lte": high}},
        dict.fromkeys(VALUES, 1),
        batch_size=BATCH,
    )
    return {row["_id"]: (row["open"], row["high"], row["low"], row["close"], row["volume"]) for row in rows}


def _row(symbol: str, timeframe: Timeframe, source: str, identity: str, bar: Bar, now: datetime) -> Row:
    # One field order and floats only, always: bulk readers rely on the layout of the bytes.
    return {
        "_id": identity,
        "date" if timeframe.is_daily else "datetime": f"{bar[0]:%Y%m%d}" if timeframe.is_daily else bar[0],
        "symbol": symbol,
        "open": bar[1],
        "high": bar[2],
        "low": bar[3],
        "close": bar[4],
        "volume": bar[5],
        "source": source,
        "ingested_at": now,
    }


def _series(candles: Iterable[Candle]) -> Iterable[tuple[tuple[str, str, str], list[Bar]]]:
    """Group candles by (symbol, timeframe, source) into sorted batches without twins; the last twin wins."""

    def group(candle: Candle) -> tuple[str, str, str]:
        return candle.symbol, candle.timeframe, candle.source

    for key, members in groupby(sorted(candles, key=group), key=group):
        bars = {
            item.open_time: (item.open_time, item.open, item.high, item.low, item.close, item.volume)
            for item in members
        }
        ordered = [bars[moment] for moment in sorted(bars)]
        for start in range(0, len(ordered), BATCH):
            yield key, ordered[start : start + BATCH]


class CandleWriter:
    """Writes closed bars, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Write over ``connection``."""
        self._connection = connection

    def write(self, candles: Sequence[Candle]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest untouched."""
        report = CandleReport()
        for (symbol, timeframe, source), bars in _series(candles):
            report += self.write_bars(symbol, Timeframe.parse(timeframe), source, bars)
        return report

    def write_bars(self, symbol: str, timeframe: Timeframe, source: str, bars: Sequence[Bar]) -> CandleReport:
        """Write one batch of valid, sorted bars of one series; see `write_bars`."""
        return self._connection.run(write_bars(symbol, timeframe, source, bars))

    def write_columns(self, columns: "CandleColumns") -> CandleReport:
        """Write the valid rows of a series in batches; the caller reports `CandleColumns.faults`."""
        valid = columns.valid()
        report = CandleReport()
        for start in range(0, len(valid), BATCH):
            bars = valid.bars(start, start + BATCH)
            report += self.write_bars(valid.symbol, valid.timeframe, valid.source, bars)
        return report


class AsyncCandleWriter:
    """Writes closed bars, asynchronously."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Write over ``connection``."""
        self._connection = connection

    async def write(self, candles: Sequence[Candle]) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest untouched."""
        report = CandleReport()
        for (symbol, timeframe, source), bars in _series(candles):
            report += await self._connection.run(write_bars(symbol, Timeframe.parse(timeframe), source, bars))
        return report
