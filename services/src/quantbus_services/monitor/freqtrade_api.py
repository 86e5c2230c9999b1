"""Reads what the bot believes, over Freqtrade's own REST API; never trades."""

import re
from datetime import UTC, datetime
from typing import Protocol, Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from quantbus_contracts.errors import QuantbusError
from quantbus_services.monitor.positions import OpenTrade

__all__ = ["Bot", "BotUnavailable", "FreqtradeApi"]

Answer = TypeVar("Answer", bound=BaseModel)
_SIGNAL_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class BotUnavailable(QuantbusError):
    """The bot did not answer, refused the password, or answered something else: its trades are unknown."""

    retryable = True


class Bot(Protocol):
    """What the monitor asks of a bot. Every method may raise `BotUnavailable`."""

    async def open_trades(self) -> list[OpenTrade]:
        """Return the trades that are open now."""
        ...

    async def knows_closed(self, trade_id: int) -> bool:
        """Tell whether the bot has a trade of this number that is closed."""
        ...


class _Trade(BaseModel):
    """The part of Freqtrade's trade that is looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    trade_id: int
    pair: str
    is_open: bool
    is_short: bool
    open_timestamp: int
    enter_tag: str | None = None
    has_open_orders: bool = False

    def as_open_trade(self) -> OpenTrade:
        tag = _SIGNAL_ID.search(self.enter_tag or "")
        return OpenTrade(
            trade_id=self.trade_id,
            pair=self.pair,
            direction="short" if self.is_short else "long",
            signal_id=tag.group() if tag else None,
            opened_at=datetime.fromtimestamp(self.open_timestamp / 1000, UTC),
            in_flight=self.has_open_orders,
        )


_TRADES = TypeAdapter(list[_Trade])


class FreqtradeApi:
    """Freqtrade's REST API at one address, read with basic authentication."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Ask through ``client``; use `at`."""
        self._client = client

    @classmethod
    def at(cls, url: str, user: str, password: str, *, timeout_seconds: float = 3.0) -> Self:
        """Return the API at ``url`` (scheme, host and port)."""
        return cls(
            httpx.AsyncClient(
                base_url=f"{url.rstrip('/')}/api/v1",
                auth=httpx.BasicAuth(user, password),
                timeout=timeout_seconds,
                trust_env=False,  # a proxy has no business between the monitor and its bot
            )
        )

    async def open_trades(self) -> list[OpenTrade]:
        """Return the trades that are open now."""
        reply = await self._get("/status")
        try:
            return [trade.as_open_trade() for trade in _TRADES.validate_json(reply.content) if trade.is_open]
        except ValidationError as error:
            raise _not_understood(reply, error) from None

    async def knows_closed(self, trade_id: int) -> bool:
        """Tell whether the bot has a trade of this number that is closed."""
        reply = await self._get(f"/trade/{trade_id}", also_fine=404)
        if reply.status_code == httpx.codes.NOT_FOUND:
            return False
        try:
            return not _Trade.model_validate_json(reply.content).is_open
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
            reply = await self._client.get(path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
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
