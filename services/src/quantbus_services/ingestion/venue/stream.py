"""The exchange's websocket, as a hint: it tells when a bar has opened, so that the one before can be asked for.

Nothing that comes over a stream is stored. A stream may break in the very second in which a bar gets its last trade,
and nothing in it says whether what was seen last was the end; the answer to a request does. So the stream decides when
to ask, the request decides what is true, and a stream that fails costs nothing but the earliness.
"""

import asyncio
import importlib
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt
import structlog

from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.venue.backoff import delays
from quantbus_services.ingestion.venue.gate import Gate, Held
from quantbus_services.ingestion.venue.hearing import listen

__all__ = ["CcxtStream", "opened_bars", "stream_urls"]

_log = structlog.get_logger(__name__)
_PER_SUBSCRIPTION = 100
_LONGEST_PAUSE_SECONDS = 60.0
_GOODBYE_SECONDS = 1.0
_GARBAGE = (TypeError, ValueError, KeyError, IndexError, AttributeError)
Markets = Mapping[str, Mapping[str, Any]]


class CcxtStream:
    """The candle streams of any exchange that ccxt.pro knows; a `Stream`."""

    def __init__(
        self,
        venue: str,
        series: Sequence[Series],
        markets: Callable[[], Markets],
        *,
        url: str | None,
        random: Callable[[], float],
        on_error: Callable[[str], None],
        gate: Gate,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Listen for ``series``; ``markets`` are ccxt's own, as they were loaded already.

        While ``gate`` is closed nothing connects and nothing is requested: a ban holds for all that come from here.
        """
        self._venue = venue
        self._series = {(item.instrument.pair, item.timeframe.name): item for item in series}
        self._markets = markets
        self._url = url
        self._random = random
        self._on_error = on_error
        self._gate = gate
        self._sleep = sleep

    async def run(self, on_open: Callable[[Series, datetime], None]) -> None:
        """Call ``on_open`` for every bar that is seen to be open; where there is no stream, wait for ever."""
        exchange = self._exchange(await _imported("ccxt.pro"))
        if exchange is None:
            _log.info("no_stream", venue=self._venue)
            await asyncio.Event().wait()
        try:
            async with asyncio.TaskGroup() as group:
                for wanted in self._subscriptions():
                    group.create_task(self._listen(exchange, wanted, on_open))
            await asyncio.Event().wait()  # none of them has candles
        finally:
            with suppress(TimeoutError):  # of an exchange that does not say goodbye
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await exchange.close()

    def _exchange(self, pro: Any) -> Any:  # noqa: ANN401  # ccxt is untyped
        if self._venue not in pro.exchanges:
            return None
        exchange = getattr(pro, self._venue)({"enableRateLimit": True})
        if not (exchange.has.get("watchOHLCVForSymbols") or exchange.has.get("watchOHLCV")):
            return None
        listen(exchange, self._gate)  # a stream may have to ask for a token first
        exchange.aiohttp_trust_env = self._url is None
        if self._url is not None:
            exchange.urls["api"]["ws"] = stream_urls(exchange.urls["api"]["ws"], self._url)
        # The list is there already: asking for it again would cost of the one budget that all requests share.
        exchange.set_markets(dict(self._markets()))
        return exchange

    def _subscriptions(self) -> Iterator[list[tuple[str, str]]]:
        """Cut the series into what one subscription can hold: one type of market, and not too many."""
        for kind in sorted({item.instrument.market_type for item in self._series.values()}):
            names = [key for key, item in self._series.items() if item.instrument.market_type == kind]
            for start in range(0, len(names), _PER_SUBSCRIPTION):
                yield names[start : start + _PER_SUBSCRIPTION]

    async def _listen(
        self,
        exchange: Any,  # noqa: ANN401  # ccxt is untyped
        wanted: list[tuple[str, str]],
        on_open: Callable[[Series, datetime], None],
    ) -> None:
        newest: dict[Series, datetime] = {}
        pauses = self._pauses()
        while True:
            while (closed := self._gate.seconds_left) > 0:
                await self._sleep(closed)
            try:
                for series, moment in opened_bars(await self._next(exchange, wanted), self._series):
                    if moment > newest.get(series, moment.min.replace(tzinfo=UTC)):
                        newest[series] = moment
                        on_open(series, moment)
                pauses = self._pauses()
            except ccxt.NotSupported as error:
                _log.warning("no_stream", venue=self._venue, error=str(error)[:200])
                return
            except (ccxt.BaseError, Held, *_GARBAGE) as error:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise asyncio.CancelledError from error  # ccxt makes errors of its own of a cancellation
                self._on_error(type(error).__name__)
                pause = next(pauses)
                _log.warning("stream_broken", error=str(error)[:200], pause_seconds=round(pause, 1))
                await self._sleep(pause)

    async def _next(self, exchange: Any, wanted: list[tuple[str, str]]) -> object:  # noqa: ANN401
        if exchange.has.get("watchOHLCVForSymbols"):
            return await exchange.watch_ohlcv_for_symbols([list(pair) for pair in wanted])
        watching = [asyncio.ensure_future(exchange.watch_ohlcv(*pair)) for pair in wanted]
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
            found: dict[str, dict[str, object]] = {}
            for (pair, timeframe), task in zip(wanted, watching, strict=True):
                if task in done:
                    found.setdefault(pair, {})[timeframe] = task.result()
            return found
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def _pauses(self) -> Iterator[float]:
        return delays(1_000_000_000, first=1.0, ceiling=_LONGEST_PAUSE_SECONDS, random=self._random)


async def _imported(name: str) -> ModuleType:
    """Import a module in the background: it takes seconds, in which bars are polled already.

    In a thread that nobody waits for, since the process may be asked to stop meanwhile.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[ModuleType] = loop.create_future()

    def settle(module: ModuleType) -> None:
        if not done.done():
            done.set_result(module)

    def load() -> None:
        module = importlib.import_module(name)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, module)

    threading.Thread(target=load, name=f"import {name}", daemon=True).start()
    return await done


def opened_bars(
    update: object, series: Mapping[tuple[str, str], Series]
) -> Iterable[tuple[Series, datetime]]:
    """Return the newest bar of each series in an update of ccxt: ``{pair: {timeframe: rows}}``.

    Raises
    ------
    ValueError
        If it is not of that form.
    """
    if not isinstance(update, dict):
        raise ValueError(f"expected candles by pair and timeframe, found {update!r:.100}")
    found = []
    for pair, frames in update.items():
        for timeframe, rows in frames.items():
            item = series.get((pair, timeframe))
            if item is not None and rows:
                milliseconds = max(int(row[0]) for row in rows)
                found.append((item, datetime.fromtimestamp(milliseconds / 1000, UTC)))
    return found


def stream_urls(addresses: Mapping[str, Any], url: str) -> dict[str, Any]:
    """Return Binance's stream addresses, moved to the base address ``url``.

    ccxt tells streams of spot from those of futures by the word ``stream`` in the address.
    """
    base = "ws" + url.rstrip("/").removeprefix("http")
    moved: dict[str, Any] = {}
    for name, address in addresses.items():
        if isinstance(address, Mapping):
            moved[name] = {kind: base + urlsplit(text).path for kind, text in address.items()}
        else:
            moved[name] = f"{base}/stream" if name in ("spot", "margin") else f"{base}/fapi/ws"
    return moved
