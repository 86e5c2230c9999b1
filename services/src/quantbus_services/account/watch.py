"""Looks at the account again and again, and writes down what it saw; what could not be read is written as unknown."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from quantbus_contracts.errors import BusError, ConfigError, QuantbusError, VenueError, VenueRefused
from quantbus_contracts.schema import (
    AccountBalance,
    AccountFill,
    AccountMarket,
    AccountOrder,
    AccountPart,
    AccountPosition,
    AccountSnapshot,
    UnknownPart,
)
from quantbus_services.account.metrics import AccountMetrics
from quantbus_services.account.rights import KeyRights
from quantbus_services.account.rows import worth_of
from quantbus_services.account.settings import AccountSettings

__all__ = ["AccountSource", "Look", "Watch"]

_log = structlog.get_logger(__name__)
Rows = TypeVar("Rows")
_MOST_PAIRS = 50
"""Whose fills are asked for in one look; more would be a venue's rate limit."""
_MOST_ROWS = 2_000
_MOST_FILLS = 2_000
_LEAVE_ALONE = ("rate_limited", "banned")
_QUIET_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 4.0
_MOST_FAILURES = 100
"""Looks in a row that may break in a way nobody foresaw; then the process ends and its supervisor decides."""


class AccountSource(Protocol):
    """The account at its venue. Every question may raise `VenueError`."""

    @property
    def venue(self) -> str:
        """Its id."""
        ...

    async def meet(self) -> None:
        """Compare clocks and know the markets."""
        ...

    async def rights(self) -> KeyRights:
        """Return what the key may do."""
        ...

    async def balances(self, market: AccountMarket) -> list[AccountBalance]:
        """Return the balances of one wallet."""
        ...

    async def positions(self) -> list[AccountPosition]:
        """Return the open positions."""
        ...

    async def orders(self, market: AccountMarket) -> list[AccountOrder]:
        """Return the open orders."""
        ...

    async def fills(self, pairs: Sequence[str], since: datetime) -> list[AccountFill]:
        """Return the fills of these pairs."""
        ...

    async def prices(self, currencies: Sequence[str], quote: str) -> dict[str, float]:
        """Return last prices by currency."""
        ...

    def lists(self, pair: str) -> bool:
        """Tell whether there is such a market."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """The bus as a look needs it."""

    server_now: Callable[[], Awaitable[datetime]]
    add: Callable[[AccountSnapshot], Awaitable[None]]
    beat: Callable[[datetime, AccountSnapshot | None], Awaitable[None]]


class Watch:
    """Looks, and keeps looking. A venue or bus that does not answer is no end: the next look asks again."""

    def __init__(
        self,
        source: AccountSource,
        bus: Look,
        settings: AccountSettings,
        metrics: AccountMetrics,
        *,
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Put the parts together."""
        self._source = source
        self._bus = bus
        self._settings = settings
        self._metrics = metrics
        self._random = random
        self._sleep = sleep
        self._key_is_fit = False
        self._quiet = False
        self._is_told = False

    async def run(self) -> None:
        """Look until cancelled.

        Raises
        ------
        ConfigError
            If the key may withdraw.
        """
        failures = 0
        while True:
            try:
                await self.once()
                failures = 0
            except ConfigError:
                raise
            except Exception:
                failures += 1
                _log.exception("look_failed", failures=failures)
                if failures >= _MOST_FAILURES:
                    raise
            await self._sleep(max(self._settings.interval_seconds, _QUIET_SECONDS if self._quiet else 0.0))

    async def once(self) -> AccountSnapshot | None:
        """Look once; return what was written, None if the bus took nothing.

        Raises
        ------
        ConfigError
            If the key may withdraw.
        """
        try:
            asked_at = await self._bus.server_now()
        except BusError as error:
            self._bus_failed(error)
            return None
        snapshot = await self._read(asked_at)
        try:
            at = await self._bus.server_now()
            snapshot = snapshot.model_copy(update={"at": max(at, asked_at)})
            await self._bus.add(snapshot)
            await self._bus.beat(at, snapshot)
        except BusError as error:
            self._bus_failed(error)
            return None
        self._metrics.stored(snapshot)
        self._tell(snapshot)
        return snapshot

    def _bus_failed(self, error: QuantbusError) -> None:
        _log.warning("bus_down", error=str(error))
        self._metrics.not_stored()

    async def _read(self, asked_at: datetime) -> AccountSnapshot:
        unknown: list[UnknownPart] = []
        self._quiet = False
        reason = await self._reason_to_know_nothing()
        read = _Reading(self._source, self._settings)
        for market in self._settings.markets:
            for part in read.parts(market):
                why = reason
                if why is None:
                    why = await self._answered(lambda m=market, p=part: read.ask(m, p, asked_at))  # type: ignore[misc]
                if why is not None:
                    unknown.append(UnknownPart(market=market, part=part, reason=why[:300]))
                if self._quiet and reason is None:
                    reason = why
        balances = read.balances
        if reason is None and balances:
            balances = await self._valued(balances)
        return AccountSnapshot(
            account=self._settings.name,
            venue=self._source.venue,
            quote=self._settings.quote,
            asked_at=asked_at,
            at=asked_at,
            markets=self._settings.markets,
            balances=tuple(balances),
            positions=tuple(read.positions),
            orders=tuple(read.orders),
            fills=tuple(read.fills),
            unknown=tuple(unknown),
        )

    async def _reason_to_know_nothing(self) -> str | None:
        """Meet the venue and judge the key, which is asked for until it is known."""

        async def meet() -> None:
            await self._source.meet()
            if not self._key_is_fit:
                self._judge(await self._source.rights())
                self._key_is_fit = True

        return await self._answered(meet)

    def _judge(self, rights: KeyRights) -> None:
        if rights.can_withdraw:
            raise ConfigError(
                "expected a key that can only read, found one that may withdraw or move money; make another at the "
                "venue, without that right, and delete this one"
            )
        if rights.can_withdraw is None:
            _log.warning("key_rights_unknown", venue=self._source.venue)
        elif rights.can_trade:
            _log.warning("key_can_trade", advice="a key that only reads is enough")

    async def _answered(self, ask: Callable[[], Awaitable[None]]) -> str | None:
        """Ask until answered, a few times; return None, or why it is unknown."""
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, self._settings.attempts + 1):
            try:
                await ask()
            except VenueError as error:
                self._metrics.error(error.kind)
                self._quiet = self._quiet or error.kind in _LEAVE_ALONE
                if attempt == self._settings.attempts or not error.retryable or self._quiet:
                    return str(error)
                await self._sleep(min(pause, _LONGEST_PAUSE_SECONDS) * (0.5 + 0.5 * self._random()))
                pause *= 2
            else:
                return None
        return None

    async def _valued(self, balances: list[AccountBalance]) -> list[AccountBalance]:
        """Add worths; without prices they stay unknown, which is no reason to know less of the account."""
        quote = self._settings.quote
        try:
            prices = await self._source.prices(sorted({one.currency for one in balances} - {quote}), quote)
        except VenueError as error:
            self._metrics.error(error.kind)
            prices = {}
        return worth_of(balances, prices, quote)

    def _tell(self, snapshot: AccountSnapshot) -> None:
        if snapshot.is_complete:
            if self._is_told:
                _log.info("account_known_again")
            self._is_told = False
        elif not self._is_told:  # once an outage
            self._is_told = True
            _log.warning(
                "account_unknown",
                parts=[f"{gap.market} {gap.part}" for gap in snapshot.unknown],
                reason=snapshot.unknown[0].reason,
            )


class _Reading:
    """The parts of one look, as far as they have come."""

    def __init__(self, source: AccountSource, settings: AccountSettings) -> None:
        self._source = source
        self._settings = settings
        self.balances: list[AccountBalance] = []
        self.positions: list[AccountPosition] = []
        self.orders: list[AccountOrder] = []
        self.fills: list[AccountFill] = []

    @staticmethod
    def parts(market: AccountMarket) -> tuple[AccountPart, ...]:
        """Return the parts in the order of asking; fills last, since what is held says whose to ask for."""
        return (
            ("orders", "balances", "fills")
            if market == "spot"
            else ("orders", "positions", "balances", "fills")
        )

    async def ask(self, market: AccountMarket, part: AccountPart, asked_at: datetime) -> None:
        """Read one part whole, or leave it as it was."""
        match part:
            case "balances":
                self.balances += _bounded(await self._source.balances(market), part)
            case "positions":
                self.positions += _bounded(await self._source.positions(), part)
            case "orders":
                self.orders += _bounded(await self._source.orders(market), part)
            case "fills":
                since = asked_at - timedelta(minutes=self._settings.fills_minutes)
                found = await self._source.fills(self._pairs(market), since)
                self.fills += sorted(found, key=lambda fill: fill.at)[-_MOST_FILLS:]

    def _pairs(self, market: AccountMarket) -> list[str]:
        quote = self._settings.quote
        held = {position.pair for position in self.positions} | {order.pair for order in self.orders}
        if market == "spot":
            held |= {f"{one.currency}/{quote}" for one in self.balances if one.market == "spot"}
        wanted = dict.fromkeys((*self._settings.pairs, *sorted(held)))
        is_swap = market == "swap"
        return [pair for pair in wanted if (":" in pair) == is_swap and self._source.lists(pair)][
            :_MOST_PAIRS
        ]


def _bounded(rows: list[Rows], part: AccountPart) -> list[Rows]:
    """Refuse more rows than a snapshot takes: a part of them would be a wrong picture."""
    if len(rows) > _MOST_ROWS:
        raise VenueRefused(
            f"expected at most {_MOST_ROWS} {part} of an account, found {len(rows)}", kind="too_many"
        )
    return rows
