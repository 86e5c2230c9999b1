"""The sides that are compared: what was meant, what the bot believes and has told, what the account holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from quantbus_contracts import Execution, PublishedSignal
from quantbus_contracts.policy import PositionSide
from quantbus_contracts.schema import AccountMarket, AccountSnapshot, Balance, Fill, Holding

__all__ = [
    "BotBook",
    "BotOrder",
    "ClosedTrade",
    "Meant",
    "OpenTrade",
    "Sides",
    "Told",
    "base_of",
    "market_of",
]


@dataclass(frozen=True, slots=True)
class BotOrder:
    """One order as the bot has it; amounts in base currency."""

    order_id: str
    purpose: Literal["entry", "exit", "stop"]
    is_open: bool
    placed_at: datetime | None = None
    filled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """A trade that the bot holds open."""

    trade_id: int
    pair: str
    direction: PositionSide
    signal_id: str | None
    """What its entry tag carries; None if that names no signal."""
    opened_at: datetime
    in_flight: bool
    """Whether an order of it is still open at the venue."""
    amount: float = 0.0
    orders: tuple[BotOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """One of the trades that the bot closed last."""

    trade_id: int
    pair: str
    signal_id: str | None
    closed_at: datetime
    order_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BotBook:
    """What the bot believes, by its own database."""

    trades: tuple[OpenTrade, ...] = ()
    closed: tuple[ClosedTrade, ...] = ()
    """The newest ones."""
    dry_run: bool = True
    market: AccountMarket = "spot"
    stake_currency: str = "USDT"
    stops_at_venue: bool = False
    """Whether every open trade is to have its stop at the exchange."""

    @property
    def every(self) -> tuple[OpenTrade | ClosedTrade, ...]:
        """Open trades and the newest closed ones."""
        return (*self.trades, *self.closed)


@dataclass(frozen=True, slots=True)
class Meant:
    """What signals and the ledger say of one consumer."""

    rows: tuple[Execution, ...] = ()
    """The consumer's own rows of the last days, and those of its trades' signals."""
    elsewhere: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By signal: other consumers that have a row for it, for signals of the bot's trades."""
    newest: Mapping[tuple[str, str, str], PublishedSignal] = field(default_factory=dict)
    """The newest signal by (strategy, timeframe, pair)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the bot has told the bus of itself."""

    positions: tuple[Holding, ...] = ()
    fills: tuple[Fill, ...] = ()
    """Of the last hours."""
    balances: tuple[Balance, ...] = ()


@dataclass(frozen=True, slots=True)
class Sides:
    """Everything that is known of one consumer at one time."""

    consumer_id: str
    book: BotBook
    meant: Meant = Meant()
    told: Told = Told()
    account_name: str | None = None
    """The account that the bot trades; None where nobody named it, or there is none."""
    account: AccountSnapshot | None = None
    changed_at: Mapping[str, datetime] = field(default_factory=dict)
    """By pair: when the bot's or the account's picture of it was last seen to change."""


def market_of(pair: str) -> AccountMarket:
    """Return the market that a Freqtrade pair belongs to."""
    return "swap" if ":" in pair else "spot"


def base_of(pair: str) -> str:
    """Return the base currency of a pair."""
    return pair.partition("/")[0]
