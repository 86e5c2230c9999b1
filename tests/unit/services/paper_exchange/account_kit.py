"""An exchange with accounts on a clock that stands still, and a client that signs what it asks."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.accounts.ports import OrderFaults
from quantbus_services.paper_exchange.accounts.records import Account, ApiKey
from quantbus_services.paper_exchange.accounts.registry import AccountRequest, KeyRequest, open_account
from quantbus_services.paper_exchange.accounts.room import AccountsRoom
from quantbus_services.paper_exchange.app import create_app
from quantbus_services.paper_exchange.assembly import build_venue
from quantbus_services.paper_exchange.settings import PaperSettings
from quantbus_services.paper_exchange.venue import Venue

NOW = datetime(2025, 3, 1, 12, 0, 20, tzinfo=UTC)
START_USDT = Decimal(10_000)


@lru_cache(maxsize=1)
def shared_venue() -> tuple[Venue, FrozenClock]:
    """Return one exchange for all tests; its bars are a function of the time, so tests do not disturb it."""
    clock = FrozenClock(NOW)
    return build_venue(PaperSettings(symbols="BTC/USDT,ETH/USDT"), clock), clock


class Bench:
    """An exchange with one account, ``bot``, that owns paper money on both sides."""

    def __init__(self, *, state: Path | None = None, faults: OrderFaults | None = None) -> None:
        self.venue, self.clock = shared_venue()
        self.clock.set(NOW)
        self.open(state=state, faults=faults)
        keys = self.open_account("bot")
        self.key: ApiKey = keys[0]

    def open(self, *, state: Path | None = None, faults: OrderFaults | None = None) -> None:
        """Open the accounts, anew after a `close`."""
        self.room = AccountsRoom(self.venue, state=state, faults=faults)
        transport = httpx.ASGITransport(create_app(self.venue, rooms=[self.room]), client=("127.0.0.1", 1))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    def open_account(self, name: str, *keys: KeyRequest) -> list[ApiKey]:
        ledger = self.room.office.ledger
        money = {"USDT": START_USDT}
        request = AccountRequest(name=name, spot=money, futures=money, keys=keys or (KeyRequest(),))
        made = open_account(ledger, request, self.venue.now_ms())
        ledger.commit()
        return made

    @property
    def account(self) -> Account:
        return self.room.office.ledger.accounts["bot"]

    def price(self, symbol: str = "BTCUSDT", board: str = "spot") -> Decimal:
        market = self.venue.spot if board == "spot" else self.venue.futures
        return Decimal(f"{market.last_price(symbol, self.venue.now_ms()):.2f}")

    def wait(self, **duration: float) -> None:
        self.clock.advance(timedelta(**duration))

    async def send(
        self, method: str, path: str, *, key: ApiKey | None = None, **parameters: object
    ) -> httpx.Response:
        """Send a signed request; parameters of a POST go into its body."""
        key = key or self.key
        text = urlencode({"timestamp": self.venue.now_ms()} | parameters)
        signature = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        text += f"&signature={signature}"
        headers = {"X-MBX-APIKEY": key.api_key}
        if method == "POST":
            return await self.client.post(path, content=text, headers=headers)
        return await self.client.request(method, f"{path}?{text}", headers=headers)

    async def ask(self, method: str, path: str, **parameters: Any) -> Any:
        """Return the content of an answer that must be a success."""
        reply = await self.send(method, path, **parameters)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def code(self, method: str, path: str, **parameters: Any) -> tuple[int, int]:
        """Return status and error code of an answer that must be a refusal."""
        reply = await self.send(method, path, **parameters)
        assert reply.status_code >= 400, reply.text
        return reply.status_code, reply.json()["code"]

    async def order(self, **parameters: object) -> Any:
        return await self.ask("POST", "/api/v3/order", **({"symbol": "BTCUSDT"} | parameters))

    async def limit(self, side: str, price: Decimal, amount: str, **more: object) -> Any:
        more = {"timeInForce": "GTC"} | more
        return await self.order(side=side, type="LIMIT", price=f"{price:.2f}", quantity=amount, **more)

    async def found(self, order: Any) -> Any:
        return await self.ask("GET", "/api/v3/order", symbol=order["symbol"], orderId=order["orderId"])
