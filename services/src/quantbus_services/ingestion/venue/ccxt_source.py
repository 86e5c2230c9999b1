"""The exchange as a `CandleSource`; the only module that knows ccxt and its errors."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError, UnknownInstrument, VenueRefused, VenueUnavailable
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.venue.dates import VenueDates
from quantbus_services.ingestion.venue.gate import Gate
from quantbus_services.ingestion.venue.hearing import Heard, hearing, listen, says_something
from quantbus_services.ingestion.venue.normalise import Row, is_garbage, moment_of, opened_before
from quantbus_services.ingestion.venue.pauses import asked_pause, date_of
from quantbus_services.ingestion.venue.source import PAPER

__all__ = ["CcxtSource", "open_source"]

_BINANCE_LIKE = ("binance", "binanceus", "binanceusdm", "binancecoinm")
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ccxt.InvalidNonce, "clock"),
    (ccxt.RequestTimeout, "timeout"),
    (ccxt.DDoSProtection, "rate_limited"),
    (ccxt.RateLimitExceeded, "rate_limited"),
    (ccxt.OnMaintenance, "maintenance"),
    (ccxt.ExchangeNotAvailable, "unavailable"),
    (ccxt.BadResponse, "garbage"),
    (ccxt.NetworkError, "network"),
)
_REFUSALS: tuple[tuple[type[Exception], str], ...] = (
    (ccxt.BadSymbol, "bad_symbol"),
    (ccxt.AuthenticationError, "forbidden"),
    (ccxt.NotSupported, "not_supported"),
    (ccxt.BadRequest, "bad_request"),
)

_PAPER_HEADER = "x-quantbus-data"
"""What a paper exchange says its candles are: SYNTHETIC or recorded."""
_LONGEST_SOURCE = 64


class CcxtSource:
    """Any exchange that ccxt knows."""

    def __init__(self, exchange: Any, gate: Gate | None = None) -> None:  # noqa: ANN401  # ccxt is untyped
        """Wrap an exchange of ``ccxt.async_support``; use `open_source`.

        Whoever else asks the same venue from this address shares ``gate``.
        """
        self._exchange = exchange
        self._dates = VenueDates()
        self._believed: Callable[[], datetime] | None = None
        self.clock_doubts = 0
        self.gate = gate or Gate()
        listen(exchange, self.gate)
        self.source: str = str(exchange.id)
        self.venue: str = self.source.upper()

    async def instruments(self) -> InstrumentCatalogue:
        """Load the venue's market list (options are left out)."""
        with self._asking("load the markets") as heard:
            markets = await self._exchange.load_markets(reload=True)
        replayed = next((value for name, value in heard.headers.items() if name.lower() == _PAPER_HEADER), "")
        if replayed:  # bars that are no market's must say so wherever they end up
            self.source = _paper_source(replayed)
        found = {instrument for market in markets.values() if (instrument := self._instrument(market))}
        if not found:
            raise VenueUnavailable(f"{self.source} answered with an empty market list", kind="garbage")
        return InstrumentCatalogue(found)

    def _instrument(self, market: dict[str, Any]) -> Instrument | None:
        if market.get("type") not in ("spot", "swap", "future"):
            return None
        try:
            return Instrument.from_pair(self.venue, str(market["symbol"]))
        except UnknownInstrument:
            return None  # indices and other listings that are no market of two currencies

    def require_timeframes(self, timeframes: frozenset[Timeframe]) -> None:
        """Refuse timeframes that the venue has no candles of.

        Raises
        ------
        ConfigError
            Naming them and what the venue offers.
        """
        offered = self._exchange.timeframes or {}
        absent = sorted(timeframe for timeframe in timeframes if timeframe.name not in offered)
        if absent:
            raise ConfigError(
                f"expected timeframes that {self.source} offers ({', '.join(offered)}), "
                f"found {', '.join(map(str, absent))}"
            )

    def page_bars(self, instrument: Instrument, most: int) -> int:
        """Return ``most``, or the venue's own limit (as ccxt declares it) if that is less."""
        declared = self._exchange.feature_value(instrument.pair, "fetchOHLCV", "limit")
        return min(most, int(declared)) if declared else most

    async def fetch(
        self, instrument: Instrument, timeframe: Timeframe, since: datetime, limit: int
    ) -> list[Row]:
        """Ask for candles; an answer that holds anything but candles counts as no answer.

        Bars that cannot be closed at the venue by the date of its own answer are left out.
        """
        milliseconds = int(since.timestamp() * 1000)
        with self._asking(f"fetch {instrument.pair} {timeframe}") as heard:
            rows = await self._exchange.fetch_ohlcv(instrument.pair, timeframe.name, milliseconds, limit)
        if is_garbage(rows) or (not rows and heard.status and not says_something(heard.text)):
            raise VenueUnavailable(
                f"{self.source} answered {instrument.pair} {timeframe} with something that is not candles",
                kind="garbage",
            )
        date = date_of(heard.headers)
        if self._believed is not None and self._dates.contradict(date, self._believed()):
            self.clock_doubts += 1
        latest = self._dates.latest(date)
        return (
            list(rows)
            if latest is None
            else [row for row in rows if opened_before(row, latest - timeframe.delta)]
        )

    async def clock_offset(self, clock: Clock) -> timedelta:
        """Compare clocks by one request, the venue's never too far ahead; zero where it does not tell its time."""
        if not self._exchange.has.get("fetchTime"):
            return timedelta(0)
        with self._asking("ask for the time") as heard:
            milliseconds = await self._exchange.fetch_time()
        answered = clock.now()
        told = moment_of(milliseconds)
        if told is None:
            raise VenueUnavailable(f"{self.source} told its time as {milliseconds!r}", kind="garbage")
        # It is later there by now, by as much as the answer took. Which nobody can know, and to be late by that does no
        # harm, while to be ahead would make the forming bar a closed one.
        offset = told - answered
        self._dates.compare(told, date_of(heard.headers))
        self._believed = lambda: clock.now() + offset
        return offset

    def offers(self, method: str) -> bool:
        """Tell whether the venue has what ccxt calls ``method``, such as ``fetchFundingRateHistory``."""
        return bool(self._exchange.has.get(method))

    async def ask(self, doing: str, method: str, *args: object) -> Any:  # noqa: ANN401  # ccxt is untyped
        """Call a method of ccxt for what is no candle; ``doing`` says in errors what was tried."""
        with self._asking(doing):
            return await getattr(self._exchange, method)(*args)

    def markets(self) -> dict[str, dict[str, Any]]:
        """Return the market list as ccxt keeps it since `instruments`, by pair."""
        return dict(self._exchange.markets or {})

    def is_tick_size(self) -> bool:
        """Tell whether the market list states steps, not numbers of decimal places."""
        return bool(self._exchange.precisionMode == ccxt.TICK_SIZE)

    async def close(self) -> None:
        """Close the sockets."""
        await self._exchange.close()

    @contextmanager
    def _asking(self, doing: str) -> Generator[Heard]:
        """Hear what is answered, and translate what ccxt raises."""
        with hearing() as heard:
            try:
                yield heard
            except ccxt.BaseError as error:
                _raise_if_cancelled(error)
                if isinstance(error, ccxt.OperationFailed):
                    raise self._unavailable(doing, error, heard) from error
                if heard.status >= 500:
                    # Whatever code the body holds, the venue itself says that the trouble is its own.
                    raise self._unavailable(doing, error, heard) from error
                if type(error) is ccxt.ExchangeError and error.__cause__ is not None:
                    # How ccxt wraps a connection that broke in the middle of an answer.
                    raise VenueUnavailable(self._told(doing, error), kind="network") from error
                raise VenueRefused(self._told(doing, error), kind=_kind(error, _REFUSALS)) from error
            except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
                # What ccxt stumbles over when a body is not what the API promises.
                raise VenueUnavailable(self._told(doing, error), kind="garbage") from error

    def _unavailable(self, doing: str, error: Exception, heard: Heard) -> VenueUnavailable:
        kind = "banned" if heard.status == 418 else _kind(error, _KINDS)
        if kind == "other" and heard.status >= 500:
            kind = "unavailable"
        if kind == "clock":
            self.clock_doubts += 1
        pause = asked_pause(heard.status, heard.headers, heard.text, is_limit=kind == "rate_limited")
        seconds = pause.seconds if pause else None
        return VenueUnavailable(self._told(doing, error), kind=kind, retry_after_seconds=seconds)

    def _told(self, doing: str, error: Exception) -> str:
        text = " ".join(str(error).split())
        return f"could not {doing} at {self.source}: {type(error).__name__}: {text[:300]}"


def open_source(
    venue: str,
    *,
    url: str | None = None,
    timeout_seconds: float = 10.0,
    with_derivatives: bool = True,
    gate: Gate | None = None,
) -> CcxtSource:
    """Open an exchange by its ccxt id, inside the running event loop.

    With ``url`` every request goes to that base address instead of the venue's hosts (Binance and kin only).
    Without ``with_derivatives`` Binance is asked for its spot markets only. All that ask one venue from one
    address should share one ``gate``.

    Raises
    ------
    ConfigError
        If ccxt knows no such exchange, or it cannot be redirected.
    """
    if venue not in ccxt.exchanges:
        raise ConfigError(
            f"expected the ccxt id of an exchange (binance, okx, bybit, kraken, …), found {venue!r}"
        )
    if url is not None and venue not in _BINANCE_LIKE:
        raise ConfigError(
            f"another address can stand in for {', '.join(_BINANCE_LIKE)} only, found the venue {venue!r}; "
            "leave out --venue-url"
        )
    exchange = getattr(ccxt, venue)({"timeout": int(timeout_seconds * 1000), "enableRateLimit": True})
    # A proxy of the environment is for the world outside, not for an address someone gave on purpose.
    exchange.aiohttp_trust_env = url is None
    if venue in ("binance", "binanceus") and not with_derivatives:
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
    if url is not None:
        base = url.rstrip("/")
        exchange.urls["api"] = {
            name: base + urlsplit(address).path
            for name, address in exchange.urls["api"].items()
            if isinstance(address, str)
        }
    return CcxtSource(exchange, gate)


def _paper_source(header: str) -> str:
    """Return what the bars of a paper exchange are marked with; proxies may have joined a header that came twice."""
    words = dict.fromkeys(word.strip() for word in header.split(","))
    return f"{PAPER}{'+'.join(filter(None, words))}"[:_LONGEST_SOURCE]


def _raise_if_cancelled(error: Exception) -> None:
    """End a task that was asked to, where ccxt made an error of its own of that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


def _kind(error: Exception, kinds: tuple[tuple[type[Exception], str], ...]) -> str:
    return next((kind for base, kind in kinds if isinstance(error, base)), "other")
