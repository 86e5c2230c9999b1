"""Reads what the bot believes, over Freqtrade's own REST API; never trades."""

import asyncio
from typing import Protocol, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from quantbus_contracts.errors import QuantbusError
from quantbus_services.monitor.reconciliation.freqtrade_book import (
    ClosedTrades,
    Configuration,
    OpenTrades,
    Trade,
    book_of,
)
from quantbus_services.monitor.reconciliation.sides import BotBook

__all__ = ["Bot", "BotUnavailable", "FreqtradeApi"]

Answer = TypeVar("Answer", bound=BaseModel)
_CLOSED = 50
"""Closed trades that are looked at: more than are closed within the settle window."""


class BotUnavailable(QuantbusError):
    """The bot did not answer, refused the password, or answered something else: its trades are unknown."""

    retryable = True


class Bot(Protocol):
    """What the monitor asks of a bot. Every method may raise `BotUnavailable`."""

    async def book(self) -> BotBook:
        """Return what the bot believes: open trades, the newest closed ones, and what it is set to."""
        ...

    async def knows_closed(self, trade_id: int) -> bool:
        """Tell whether the bot has a trade of this number that is closed."""
        ...


class FreqtradeApi:
    """Freqtrade's REST API at one address, read with basic authentication."""

    def __init__(self, client: httpx.AsyncClient, *, timeout_seconds: float = 3.0) -> None:
        """Ask through ``client``, and wait so long for a whole answer; use `at`."""
        self._client = client
        self._timeout_seconds = timeout_seconds

    @classmethod
    def at(cls, url: str, user: str, password: str, *, timeout_seconds: float = 3.0) -> Self:
        """Return the API at ``url`` (scheme, host and port)."""
        return cls(
            httpx.AsyncClient(
                base_url=f"{url.rstrip('/')}/api/v1",
                auth=httpx.BasicAuth(user, password),
                timeout=timeout_seconds,
                trust_env=False,  # a proxy has no business between the monitor and its bot
            ),
            timeout_seconds=timeout_seconds,
        )

    async def book(self) -> BotBook:
        """Return what the bot believes: open trades, the newest closed ones, and what it is set to.

        Open trades are asked for first: one that is closed in between is in both lists, and not in neither.
        """
        configuration = await self.answer("/show_config", Configuration)
        trades = await self.answer("/status", OpenTrades)
        closed = await self.answer(f"/trades?limit={_CLOSED}&order_by_id=false", ClosedTrades)
        return book_of(configuration, trades, closed)

    async def knows_closed(self, trade_id: int) -> bool:
        """Tell whether the bot has a trade of this number that is closed."""
        reply = await self._get(f"/trade/{trade_id}", also_fine=404)
        if reply.status_code == httpx.codes.NOT_FOUND:
            return False
        try:
            return not Trade.model_validate_json(reply.content).is_open
        except ValidationError as error:
            raise _not_understood(reply, error) from None

    async def answer(self, path: str, form: type[Answer]) -> Answer:
        """Return what Freqtrade answers on ``path``, in the form that is expected of it."""
        reply = await self._get(path)
        try:
            return form.model_validate_json(reply.content)
        except ValidationError as error:
            raise _not_understood(reply, error) from None

    async def close(self) -> None:
        """Close the sockets."""
        await self._client.aclose()

    async def _get(self, path: str, *, also_fine: int = 200) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout_seconds):  # httpx's own begins again with every byte
                reply = await self._client.get(path)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise BotUnavailable(
                f"expected an answer from Freqtrade at {self._client.base_url}, found "
                f"{type(error).__name__}: {error}; is the bot up and its api_server enabled?"
            ) from error
        if reply.status_code in (httpx.codes.OK, also_fine):
            return reply
        hint = (
            "check QUANTBUS_MONITOR_FREQTRADE_USER and _PASSWORD"
            if reply.status_code == 401
            else "see its log"
        )
        raise BotUnavailable(f"expected 200 from Freqtrade for {path}, found {reply.status_code}; {hint}")


def _not_understood(reply: httpx.Response, error: ValidationError) -> BotUnavailable:
    return BotUnavailable(
        f"expected Freqtrade's answer from {reply.url.path}, found something else "
        f"({error.errors(include_url=False, include_input=False)[0]}); does the address point at Freqtrade?"
    )
