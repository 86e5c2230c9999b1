"""`MarketData`: bars of many symbols in one call, as pandas, Arrow or polars; `AsyncMarketData` is its twin."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from quantbus_contracts.bar_arrays import FIELDS
from quantbus_contracts.market.query import Form, MarketQuery, Moment
from quantbus_contracts.market.reading import read, stored_symbols
from quantbus_contracts.market.snapshots import Snapshot, save_snapshot
from quantbus_contracts.market.tables import as_pandas, known_form, table_of
from quantbus_contracts.mongo.bar_reader import read_bars
from quantbus_contracts.mongo.client import AsyncConnection, Connection, connect, connect_async
from quantbus_contracts.resample import Partial
from quantbus_contracts.runtime.settings import MongoSettings, load_settings
from quantbus_contracts.timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SNAPSHOTS", "AsyncMarketData", "MarketData"]

SNAPSHOTS = "snapshots"
"""The folder of snapshots under ``QUANTBUS_HOME``."""

_TIMEOUT_SECONDS = 60.0
Symbols = str | Iterable[str]
Fields = str | Iterable[str] | None
Table = Any
"""A frame of pandas or polars, or a table of Arrow, as ``as_`` says."""


class MarketData:
    """Reads closed bars, synchronously; whole past days from sealed blocks, the rest from rows.

    Every table has the same columns and types, also an empty one: pandas has the fields as float64 columns and the
    index (symbol, datetime), Arrow and polars have the columns symbol, datetime and the fields. ``datetime`` is the
    bar's OPEN time (UTC, milliseconds); rows are sorted by symbol and time.
    """

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self.connection = connection

    @classmethod
    def from_env(cls, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> Self:
        """Connect as the environment says (``QUANTBUS_MONGO_URI``, or the embedded server); `close` it afterwards."""
        settings = load_settings(MongoSettings)
        return cls(connect(settings, app="market-data", timeout_seconds=timeout_seconds))

    def get_market_data(
        self,
        symbols: Symbols,
        start: Moment,
        end: Moment,
        fields: Fields = None,
        timeframe: str | Timeframe = "1d",
        type: str = "crypto",  # the name under which people know it
        *,
        as_: Form = "pandas",
        made_from: str | Timeframe | None = None,
        partial: Partial = "drop",
    ) -> Table:
        """Return the closed bars of one or many symbols.

        Parameters
        ----------
        symbols
            ``'BINANCE:BTCUSDT'``, or with the pair's own spelling ``'BINANCE:BTC/USDT'``; one or many.
        start, end
            Two **days** (a date, ``'20240131'`` or ``'2024-01-31'``): both are in, from the first bar of the first to
            the last bar of the last. Or two **instants** (an aware datetime or its ISO text): bars that open in
            ``[start, end)``. The two kinds may be mixed. A naive datetime is refused.
        fields
            Out of open, high, low, close, volume, in the order wanted; all where not given.
        timeframe
            ``'1m'`` to ``'1d'``.
        as_
            ``'pandas'``, ``'arrow'`` or ``'polars'``.
        made_from
            Make the bars of finer stored ones, ``made_from='1m'``, instead of reading stored bars of ``timeframe``.
        partial
            What becomes of a bar that lacks finer ones: ``'drop'`` it, or ``'keep'`` what there is.

        Raises
        ------
        ContractError
            If a symbol, field, type, timeframe or time is not one; the message names what was meant or what there is.
        BusUnavailable
            If the bus does not answer.
        """
        query = MarketQuery.of(
            symbols, start, end, fields, timeframe, type, made_from=made_from, partial=partial
        )
        return self.read(query, as_=as_)

    def get_crypto_market_data(
        self, symbols: Symbols, start: Moment, end: Moment, fields: Fields = None, *, as_: Form = "pandas"
    ) -> Table:
        """Return 1d bars; see `get_market_data`."""
        return self.get_market_data(symbols, start, end, fields, "1d", as_=as_)

    def get_crypto_min_data(
        self, symbols: Symbols, start: Moment, end: Moment, fields: Fields = None, *, as_: Form = "pandas"
    ) -> Table:
        """Return 1m bars; see `get_market_data`."""
        return self.get_market_data(symbols, start, end, fields, "1m", as_=as_)

    def read(self, query: MarketQuery, *, as_: Form = "pandas") -> Table:
        """Answer a question that is already checked."""
        form = known_form(as_)
        return table_of(self.connection.run(read(query)), query.fields, query.timeframe, form)

    def frame(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> "pd.DataFrame":
        """Return the bars that open in ``[start, end)`` as pandas; for programs, which know what they ask for.

        A symbol that nobody has heard of has no bars here, and is no error.
        """
        parts = self.connection.run(read_bars(sorted(symbols), timeframe, start, end, FIELDS))
        return as_pandas(parts, FIELDS, timeframe)

    def snapshot(
        self,
        symbols: Symbols,
        start: Moment,
        end: Moment,
        fields: Fields = None,
        timeframe: str | Timeframe = "1d",
        type: str = "crypto",  # the name under which people know it
        *,
        made_from: str | Timeframe | None = None,
        partial: Partial = "drop",
        folder: Path | None = None,
    ) -> Snapshot:
        """Keep the answer to a question as Parquet, under an id that follows from question and answer alone.

        The arguments are those of `get_market_data`; ``folder`` is where snapshots are kept, by default
        ``snapshots`` under ``QUANTBUS_HOME``. The same call over the same data gives the same id and writes nothing.
        """
        query = MarketQuery.of(
            symbols, start, end, fields, timeframe, type, made_from=made_from, partial=partial
        )
        return self.take(query, folder)

    def take(self, query: MarketQuery, folder: Path | None = None) -> Snapshot:
        """Keep the answer to a question that is already checked; see `snapshot`."""
        kept = folder or self.connection.settings.home / SNAPSHOTS
        parts = self.connection.run(read(query))
        return save_snapshot(query, parts, kept, now=self.connection.server_now())

    def symbols(self, timeframe: str | Timeframe) -> list[str]:
        """Return every symbol that has stored bars of ``timeframe``."""
        return self.connection.run(stored_symbols(Timeframe.parse(timeframe)))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncMarketData:
    """`MarketData` for asynchronous code: the same methods, awaited; belongs to the loop that made it."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self.connection = connection

    @classmethod
    def from_env(cls, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> Self:
        """Connect as the environment says, inside the running loop."""
        settings = load_settings(MongoSettings)
        return cls(connect_async(settings, app="market-data", timeout_seconds=timeout_seconds))

    async def get_market_data(
        self,
        symbols: Symbols,
        start: Moment,
        end: Moment,
        fields: Fields = None,
        timeframe: str | Timeframe = "1d",
        type: str = "crypto",  # the name under which people know it
        *,
        as_: Form = "pandas",
        made_from: str | Timeframe | None = None,
        partial: Partial = "drop",
    ) -> Table:
        """Return the closed bars of one or many symbols; see `MarketData.get_market_data`."""
        query = MarketQuery.of(
            symbols, start, end, fields, timeframe, type, made_from=made_from, partial=partial
        )
        return await self.read(query, as_=as_)

    async def get_crypto_market_data(
        self, symbols: Symbols, start: Moment, end: Moment, fields: Fields = None, *, as_: Form = "pandas"
    ) -> Table:
        """Return 1d bars; see `MarketData.get_market_data`."""
        return await self.get_market_data(symbols, start, end, fields, "1d", as_=as_)

    async def get_crypto_min_data(
        self, symbols: Symbols, start: Moment, end: Moment, fields: Fields = None, *, as_: Form = "pandas"
    ) -> Table:
        """Return 1m bars; see `MarketData.get_market_data`."""
        return await self.get_market_data(symbols, start, end, fields, "1m", as_=as_)

    async def read(self, query: MarketQuery, *, as_: Form = "pandas") -> Table:
        """Answer a question that is already checked."""
        form = known_form(as_)
        return table_of(await self.connection.run(read(query)), query.fields, query.timeframe, form)

    async def symbols(self, timeframe: str | Timeframe) -> list[str]:
        """Return every symbol that has stored bars of ``timeframe``."""
        return await self.connection.run(stored_symbols(Timeframe.parse(timeframe)))

    async def close(self) -> None:
        """Close the connection."""
        await self.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
