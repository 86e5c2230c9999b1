"""The account at its exchange; the only module of this service that knows ccxt. It has no way to order anything."""

import asyncio
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import ccxt.async_support as ccxt

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError, VenueRefused, VenueUnavailable
from quantbus_contracts.schema import (
    AccountBalance,
    AccountFill,
    AccountMarket,
    AccountOrder,
    AccountPart,
    AccountPosition,
)
from quantbus_services.account.rights import ASKED_WITH, KeyRights, rights_of
from quantbus_services.account.rows import balances_of, fills_of, orders_of, positions_of
from quantbus_services.account.settings import AccountSettings
from quantbus_services.account.shapes import is_answer

__all__ = ["Account", "open_account"]

_REDIRECTED = ("binance", "binanceusdm")
_STOPS_APART: Mapping[str, tuple[AccountMarket, ...]] = {
    "binance": ("swap",),
    "binanceusdm": ("swap",),
    "okx": ("spot", "swap"),
}
"""Where stops are a list of their own."""
_MOST_FILLS = 500
_WINDOW_MS = 60_000
_MARKETS_LAST = timedelta(hours=1)
_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ccxt.InvalidNonce, "clock"),
    (ccxt.RequestTimeout, "timeout"),
    (ccxt.DDoSProtection, "rate_limited"),
    (ccxt.OnMaintenance, "maintenance"),
    (ccxt.ExchangeNotAvailable, "unavailable"),
    (ccxt.BadResponse, "garbage"),
    (ccxt.NetworkError, "network"),
    (ccxt.AuthenticationError, "forbidden"),
    (ccxt.BadSymbol, "bad_symbol"),
)


class Account:
    """One account, asked part by part. Every question may raise `VenueUnavailable` or `VenueRefused`."""

    def __init__(self, exchange: Any, clock: Clock) -> None:  # noqa: ANN401  # ccxt is untyped
        """Ask through an exchange of ``ccxt.async_support``; use `open_account`."""
        self._exchange = exchange
        self._clock = clock
        self._ahead = timedelta(0)
        self._markets_until: datetime | None = None

    @property
    def venue(self) -> str:
        """The exchange's id, as ccxt calls it."""
        return str(self._exchange.id)

    async def meet(self) -> None:
        """Compare clocks, and load the market list where that was not done."""
        with self._asking("ask for the time"):
            if self._exchange.has.get("fetchTime"):
                self._ahead = _moment(await self._exchange.fetch_time()) - self._clock.now()
            if "timeDifference" in self._exchange.options:  # what signatures carry
                self._exchange.options["timeDifference"] = -self._ahead // timedelta(milliseconds=1)
        with self._asking("load the markets"):
            now = self._clock.now()
            is_due = self._markets_until is None or now >= self._markets_until
            await self._exchange.load_markets(reload=is_due)
            if is_due:
                self._markets_until = now + _MARKETS_LAST

    async def rights(self) -> KeyRights:
        """Return what the key may do, as far as the venue tells."""
        question = ASKED_WITH.get(self.venue)
        if question is None:
            return KeyRights()
        with self._asking("ask what the key may do"):
            return rights_of(self.venue, await getattr(self._exchange, question)())

    async def balances(self, market: AccountMarket) -> list[AccountBalance]:
        """Return the balances of one wallet."""
        with self._asking(f"read the {market} balances"):
            answer = await self._exchange.fetch_balance({"type": market})
            self._believe("balances")
            return balances_of(answer, market)

    async def positions(self) -> list[AccountPosition]:
        """Return the open positions of swaps."""
        with self._asking("read the positions"):
            answer = await self._exchange.fetch_positions()
            self._believe("positions")
            return positions_of(answer, self._size)

    async def orders(self, market: AccountMarket) -> list[AccountOrder]:
        """Return the open orders of every pair, stops among them."""
        asked: list[dict[str, object]] = [{"type": market}]
        if market in _STOPS_APART.get(self.venue, ()):
            asked.append({"type": market, "trigger": True})
        found: dict[tuple[str, str], AccountOrder] = {}
        with self._asking(f"read the open {market} orders"):
            for more in asked:
                answer = await self._exchange.fetch_open_orders(None, None, None, more)
                self._believe("orders")
                for order in orders_of(answer, self._size, self._ahead):
                    stop = order.model_copy(update={"kind": "stop"}) if more.get("trigger") else order
                    found[stop.pair, stop.order_id] = stop
        return list(found.values())

    async def fills(self, pairs: Iterable[str], since: datetime) -> list[AccountFill]:
        """Return the fills of these pairs since a moment of our clock."""
        milliseconds = int((since + self._ahead).timestamp() * 1000)
        found: list[AccountFill] = []
        for pair in pairs:
            with self._asking(f"read the fills of {pair}"):
                answer = await self._exchange.fetch_my_trades(pair, milliseconds, _MOST_FILLS)
                self._believe("fills")
                found += fills_of(answer, self._size, self._ahead)
        return found

    async def prices(self, currencies: Iterable[str], quote: str) -> dict[str, float]:
        """Return last prices by currency; those that the venue has no spot market for are left out."""
        pairs = {
            f"{name}/{quote}": name for name in currencies if f"{name}/{quote}" in self._exchange.markets
        }
        if not pairs:
            return {}
        with self._asking("read prices"):
            answer = await self._exchange.fetch_tickers(list(pairs))
            return {
                pairs[pair]: float(ticker["last"])
                for pair, ticker in answer.items()
                if pair in pairs and ticker.get("last")
            }

    def lists(self, pair: str) -> bool:
        """Tell whether the venue has a market of this name."""
        return pair in (self._exchange.markets or {})

    async def close(self) -> None:
        """Close the sockets."""
        await self._exchange.close()

    def _believe(self, part: AccountPart) -> None:
        """Refuse what ccxt made of a body that is no answer; questions are asked one after the other."""
        if not is_answer(self.venue, part, self._exchange.last_http_response):
            raise VenueUnavailable(f"{self.venue} answered with something that is not {part}", kind="garbage")

    def _size(self, pair: str) -> float:
        if pair not in self._exchange.markets:
            self._markets_until = None  # listed since: this look does not know, the next one does
        return float(self._exchange.markets[pair].get("contractSize") or 1.0)

    @contextmanager
    def _asking(self, doing: str) -> Generator[None]:
        """Translate what ccxt raises."""
        try:
            yield
        except ccxt.BaseError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # ccxt made an error of its own of being asked to end
                raise asyncio.CancelledError from error
            kind = next((word for base, word in _KINDS if isinstance(error, base)), "other")
            told = f"could not {doing} at {self.venue}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            if isinstance(error, ccxt.OperationFailed):
                raise VenueUnavailable(told, kind=kind) from error
            raise VenueRefused(told, kind=kind) from error
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise VenueUnavailable(
                f"could not {doing} at {self.venue}: {type(error).__name__}: {error}", kind="garbage"
            ) from error


def open_account(settings: AccountSettings, clock: Clock) -> Account:
    """Open the account that the settings name, inside the running event loop.

    Raises
    ------
    ConfigError
        If ccxt knows no such exchange, it cannot be redirected, or the key is missing.
    """
    if settings.venue not in ccxt.exchanges:
        raise ConfigError(
            f"expected the ccxt id of an exchange (binance, okx, bybit, …), found {settings.venue!r}"
        )
    if settings.venue_url is not None and settings.venue not in _REDIRECTED:
        raise ConfigError(
            f"another address can stand in for {', '.join(_REDIRECTED)} only, found the venue {settings.venue!r}; "
            "unset QUANTBUS_ACCOUNT_VENUE_URL"
        )
    exchange = getattr(ccxt, settings.venue)(
        {
            "timeout": int(settings.timeout_seconds * 1000),
            "enableRateLimit": not _is_here(settings.venue_url),
            **settings.credentials(),
        }
    )
    exchange.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    exchange.options["recvWindow"] = _WINDOW_MS
    exchange.aiohttp_trust_env = settings.venue_url is None
    if settings.venue in _REDIRECTED:
        exchange.options["fetchMarkets"] = {"types": _market_types(settings.markets)}
    if settings.venue_url is not None:
        base = settings.venue_url.rstrip("/")
        exchange.urls["api"] = {
            name: base + urlsplit(address).path
            for name, address in exchange.urls["api"].items()
            if isinstance(address, str)
        }
    return Account(exchange, clock)


def _market_types(markets: Sequence[AccountMarket]) -> list[str]:
    """Return what Binance calls them; spot always, since balances are valued by its prices."""
    return ["spot", "linear"] if "swap" in markets else ["spot"]


def _is_here(url: str | None) -> bool:
    """Tell whether an exchange on this machine is asked: nobody there counts requests for a ban."""
    return url is not None and urlsplit(url).hostname in ("127.0.0.1", "localhost")


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
