"""`MarketContext`: what stands beside the bars: funding, marks, open interest, books, basis, universes, markets."""

from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from quantbus_contracts.errors import ContractError
from quantbus_contracts.market.market_data import MarketData, Symbols
from quantbus_contracts.market.query import MarketQuery, Moment
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.listings import ListingStore
from quantbus_contracts.mongo.observation_frames import basis_of, observation_frame
from quantbus_contracts.mongo.observations import ObservationStore
from quantbus_contracts.mongo.universes import UniverseStore
from quantbus_contracts.runtime.settings import MongoSettings, load_settings
from quantbus_contracts.schema import (
    DepthSnapshot,
    FundingRate,
    Listing,
    MarketChange,
    MarkPrice,
    Observation,
    OpenInterest,
    Universe,
)
from quantbus_contracts.timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MarketContext"]


class MarketContext:
    """Reads observations, synchronously.

    Ranges are given as to `MarketData`: two days are both in, two instants mean ``[start, end)``. Frames have the
    index (symbol, datetime), UTC in milliseconds, sorted, and the same columns and types also when empty; see
    `quantbus_contracts.mongo.observation_frames.observation_frame`.
    """

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self.connection = connection
        self._store = ObservationStore(connection)

    @classmethod
    def from_env(cls, *, timeout_seconds: float = 60.0) -> Self:
        """Connect as the environment says; `close` it afterwards."""
        settings = load_settings(MongoSettings)
        return cls(connect(settings, app="market-context", timeout_seconds=timeout_seconds))

    def funding(self, symbols: Symbols, start: Moment, end: Moment) -> "pd.DataFrame":
        """Return settled funding rates: column rate, a share of the position's value that longs paid."""
        return self._frame(FundingRate, symbols, start, end)

    def mark(self, symbols: Symbols, start: Moment, end: Moment) -> "pd.DataFrame":
        """Return mark prices: mark, index, premium, premium_bps, funding_rate (estimated), next_funding_at."""
        return self._frame(MarkPrice, symbols, start, end)

    def open_interest(self, symbols: Symbols, start: Moment, end: Moment) -> "pd.DataFrame":
        """Return open interest: amount (base currency), value (quote currency)."""
        return self._frame(OpenInterest, symbols, start, end)

    def depth(self, symbols: Symbols, start: Moment, end: Moment) -> "pd.DataFrame":
        """Return order books: bid, ask, mid, spread, spread_bps; bid, ask and imbalance at each level."""
        return self._frame(DepthSnapshot, symbols, start, end)

    def basis(
        self, perpetual: str, spot: str, start: Moment, end: Moment, timeframe: str | Timeframe = "1h"
    ) -> "pd.DataFrame":
        """Return perpetual minus spot at the closes of the bars that both have; see `basis_of`."""
        query = MarketQuery.of(perpetual, start, end, "close", timeframe)
        one, other = query.symbols[0], MarketQuery.of(spot, start, end).symbols[0]
        bars = MarketData(self.connection).frame([one, other], query.timeframe, query.start, query.end)
        return basis_of(bars, one, other)

    def universe(self, name: str, at: datetime) -> Universe | None:
        """Return the newest list of ``name`` that was known at ``at`` (``as_of <= at``); None if there is none.

        Raises
        ------
        ContractError
            If ``at`` has no time zone.
        """
        if at.tzinfo is None:
            raise ContractError(f"expected an aware datetime, found the naive {at.isoformat()}", field="at")
        return UniverseStore(self.connection).universe(name, at)

    def markets(self, venue: str | None = None) -> list[Listing]:
        """Return every market that is or was listed, with its rules."""
        return ListingStore(self.connection).all(venue)

    def market_changes(
        self, *, venue: str | None = None, symbol: str | None = None, since: datetime | None = None
    ) -> list[MarketChange]:
        """Return listings, delistings, renames and changed rules, oldest first."""
        return ListingStore(self.connection).changes(venue=venue, symbol=symbol, since=since)

    def close(self) -> None:
        """Close the sockets."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _frame(
        self, model: type[Observation], symbols: Symbols, start: Moment, end: Moment
    ) -> "pd.DataFrame":
        query = MarketQuery.of(symbols, start, end)
        return observation_frame(self._store, model, query.symbols, query.start, query.end)
