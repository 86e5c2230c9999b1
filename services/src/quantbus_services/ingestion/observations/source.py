"""Where observations come from: a venue's answers, asked for one kind at a time."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError, VenueRefused, VenueUnavailable
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.observations.book import reduce_book
from quantbus_services.ingestion.observations.parse import (
    Contract,
    Parsed,
    funding_rates,
    mark_history,
    mark_prices,
    open_interest,
)
from quantbus_services.ingestion.venue.normalise import moment_of

__all__ = ["Door", "ObservationSource", "needed_methods"]

_METHODS = {
    "funding": ("fetchFundingRateHistory",),
    "mark": ("fetchFundingRates", "fetchMarkPrices", "fetchMarkPrice", "fetchFundingRate"),
    "open-interest": ("fetchOpenInterest",),
    "depth": ("fetchOrderBook",),
}
_HISTORY_METHODS = {
    "funding": ("fetchFundingRateHistory",),
    "mark": ("fetchMarkOHLCV",),
    "open-interest": ("fetchOpenInterestHistory",),
}
_UNTIL = {"okx": "after"}
"""What a venue calls the end of a range, where ccxt does not translate its own word for it."""


class Door(Protocol):
    """What of a venue is needed here; `quantbus_services.ingestion.venue.CcxtSource` is one."""

    @property
    def venue(self) -> str:
        """The venue's name on the bus, upper case."""
        ...

    @property
    def source(self) -> str:
        """What is written into each row as its source."""
        ...

    def offers(self, method: str) -> bool:
        """Tell whether the venue has what ccxt calls ``method``."""
        ...

    async def ask(self, doing: str, method: str, *args: object) -> Any:  # noqa: ANN401  # ccxt is untyped
        """Call a method of ccxt."""
        ...

    def markets(self) -> dict[str, dict[str, Any]]:
        """Return the market list, by pair."""
        ...


def needed_methods(kind: str, *, history: bool) -> tuple[str, ...]:
    """Return the ccxt methods of which a venue must have one to give observations of ``kind``."""
    return (_HISTORY_METHODS if history else _METHODS).get(kind, ())


class ObservationSource:
    """Asks a venue for observations and reads what it answers; tries again as ``again`` does."""

    def __init__(
        self,
        door: Door,
        again: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]],
        clock: Clock,
        *,
        depth_limit: int = 500,
    ) -> None:
        """Ask through ``door``; ``clock`` tells the venue's time."""
        self._door = door
        self._again = again
        self._clock = clock
        self._depth_limit = depth_limit

    def require(self, kinds: Sequence[str], *, history: bool = False) -> None:
        """Refuse kinds that the venue does not give.

        Raises
        ------
        ConfigError
            Naming them.
        """
        absent = [
            kind
            for kind in kinds
            if not any(self._door.offers(name) for name in needed_methods(kind, history=history))
        ]
        if absent:
            what = "a history of " if history else ""
            raise ConfigError(
                f"expected kinds that {self._door.source} gives, found {what}{', '.join(absent)}, "
                "which it does not; leave that out"
            )

    async def funding(self, instrument: Instrument, since: datetime, until: datetime, limit: int) -> Parsed:
        """Return the settlements in ``[since, until)``, as far as one answer of ``limit`` rows holds them.

        Raises
        ------
        VenueUnavailable
            If the venue did not answer properly.
        VenueRefused
            If it said no.
        """
        rows = await self._rows(
            f"fetch the funding of {instrument.pair}",
            "fetch_funding_rate_history",
            instrument.pair,
            _ms(since),
            limit,
            self._range(until),
        )
        return funding_rates(rows, instrument, now=self._clock.now(), source=self._door.source)

    async def marks(self, instruments: Sequence[Instrument]) -> Parsed:
        """Return the mark prices of now, all of them by one request where the venue can."""
        by_pair = {item.pair: item for item in instruments}
        pairs = list(by_pair)
        for many in ("fetch_funding_rates", "fetch_mark_prices"):
            if self._door.offers(_camel(many)):
                answer = await self._ask("fetch the mark prices", many, pairs)
                rows = list(answer.values()) if isinstance(answer, dict) else answer
                parsed = self._read_marks(rows, by_pair)
                if parsed.observations or parsed.rejections:
                    return parsed
        one = "fetch_mark_price" if self._door.offers("fetchMarkPrice") else "fetch_funding_rate"
        answers = [await self._ask(f"fetch the mark price of {pair}", one, pair) for pair in pairs]
        return self._read_marks(answers, by_pair)

    async def mark_history(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, limit: int
    ) -> Parsed:
        """Return mark prices at the closes of bars that open at or after ``since``, with the index of the same bars."""
        # An answer may be under way while a candle closes, and then it shows that candle as it was before.
        asked_at = self._clock.now()
        asked = (instrument.pair, timeframe.name, _ms(since), limit)
        marks = await self._rows(f"fetch the mark prices of {instrument.pair}", "fetch_mark_ohlcv", *asked)
        indices: list[Any] = []
        if self._door.offers("fetchIndexOHLCV"):
            indices = await self._rows(f"fetch the index of {instrument.pair}", "fetch_index_ohlcv", *asked)
        return mark_history(marks, indices, instrument, timeframe, now=asked_at, source=self._door.source)

    async def open_interest(self, instrument: Instrument) -> Parsed:
        """Return the open interest of now."""
        answer = await self._ask(
            f"fetch the open interest of {instrument.pair}", "fetch_open_interest", instrument.pair
        )
        return self._read_open_interest([answer], instrument)

    async def open_interest_history(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, until: datetime, limit: int
    ) -> Parsed:
        """Return open interest every ``timeframe`` in ``[since, until)``, as far as one answer holds it."""
        rows = await self._rows(
            f"fetch the open interest of {instrument.pair}",
            "fetch_open_interest_history",
            instrument.pair,
            timeframe.name,
            _ms(since),
            limit,
            self._range(until),
        )
        return self._read_open_interest(rows, instrument)

    async def depth(self, instrument: Instrument) -> Parsed:
        """Return the order book of now, reduced; stamped by the venue, or by when the answer was there."""
        book = await self._ask(
            f"fetch the order book of {instrument.pair}",
            "fetch_order_book",
            instrument.pair,
            self._depth_limit,
        )
        sides = (book.get("bids"), book.get("asks")) if isinstance(book, dict) else (None,)
        if not all(isinstance(side, list) for side in sides):
            raise VenueUnavailable(f"{self._door.source} answered with no order book", kind="garbage")
        return reduce_book(
            book["bids"],
            book["asks"],
            symbol=instrument.symbol,
            at=moment_of(book.get("timestamp")) or self._clock.now(),
            source=self._door.source,
            asked=self._depth_limit,
            contract=self._contract(instrument),
        )

    def _read_marks(self, rows: Sequence[Any], by_pair: Mapping[str, Instrument]) -> Parsed:
        return mark_prices(rows, by_pair, now=self._clock.now(), source=self._door.source)

    def _read_open_interest(self, rows: Sequence[Any], instrument: Instrument) -> Parsed:
        return open_interest(
            rows,
            instrument,
            self._contract(instrument),
            now=self._clock.now(),
            source=self._door.source,
        )

    def _contract(self, instrument: Instrument) -> Contract:
        market = self._door.markets().get(instrument.pair, {})
        return Contract(float(market.get("contractSize") or 1.0), bool(market.get("inverse")))

    def _range(self, until: datetime) -> dict[str, int]:
        name = _UNTIL.get(self._door.venue.lower(), "until")
        return {name: _ms(until) if name == "after" else _ms(until) - 1}

    async def _rows(self, doing: str, method: str, *args: object) -> list[Any]:
        answer = await self._ask(doing, method, *args)
        if not isinstance(answer, list):
            raise VenueUnavailable(f"{self._door.source} answered {doing!r} with no list", kind="garbage")
        return answer

    async def _ask(self, doing: str, method: str, *args: object) -> Any:  # noqa: ANN401  # ccxt is untyped
        if not self._door.offers(_camel(method)):
            raise VenueRefused(
                f"could not {doing}: {self._door.source} does not offer it", kind="not_supported"
            )
        return await self._again(lambda: self._door.ask(doing, method, *args))


def _camel(method: str) -> str:
    first, *rest = method.split("_")
    return first + "".join("OHLCV" if part == "ohlcv" else part.capitalize() for part in rest)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
