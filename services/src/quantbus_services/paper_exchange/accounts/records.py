"""What an account consists of; each record is one row of the state file.

Amounts are exact decimals: sums of what was paid and what was received never drift.
"""

from abc import abstractmethod
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ZERO",
    "Account",
    "ApiKey",
    "Balance",
    "Board",
    "Fill",
    "Income",
    "MarginSetting",
    "Order",
    "Position",
    "PositionSide",
    "Rates",
    "Record",
    "Side",
    "Status",
]

Board = Literal["spot", "futures"]
PositionSide = Literal["BOTH", "LONG", "SHORT"]
ZERO = Decimal(0)


class Side(StrEnum):
    """The side of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """Return +1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1


class Status(StrEnum):
    """The state of an order, in Binance's words."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    FINISHED = "FINISHED"  # a conditional futures order whose own order was placed

    @property
    def is_open(self) -> bool:
        """Tell whether the order may still be filled."""
        return self in (Status.NEW, Status.PARTIALLY_FILLED)


class Record(BaseModel):
    """One row of the state file: its kind and its key tell it from all others."""

    model_config = ConfigDict(extra="forbid")
    kind: ClassVar[str]

    @property
    @abstractmethod
    def key(self) -> str:
        """Return the key among the rows of this kind."""


class ApiKey(Record):
    """A key to an account and what may be done with it."""

    kind: ClassVar[str] = "key"
    api_key: str = Field(min_length=8)
    secret: str = Field(min_length=8)
    account: str
    can_trade: bool = True
    can_withdraw: bool = False
    can_use_futures: bool = True
    created_ms: int = 0

    @property
    def key(self) -> str:
        """Return the public half of the key."""
        return self.api_key


class Rates(BaseModel):
    """What is charged of a fill's worth, as a share."""

    maker: Decimal
    taker: Decimal


class Balance(BaseModel):
    """One currency of a spot account; ``locked`` is reserved for open orders."""

    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Return all that the account owns."""
        return self.free + self.locked


class MarginSetting(BaseModel):
    """How positions of one perpetual are margined."""

    leverage: int = 20
    is_isolated: bool = False


class Position(BaseModel):
    """A position in a perpetual.

    Attributes
    ----------
    asset
        The currency it is settled in.
    amount
        Above zero for a long position, below for a short one.
    basis
        What it was bought for less what it was sold for; signed as ``amount`` is.
    margin
        What is set aside for it alone; zero unless isolated.
    """

    symbol: str
    asset: str
    side: PositionSide
    amount: Decimal = ZERO
    basis: Decimal = ZERO
    margin: Decimal = ZERO
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """Return the mean price of what is still held; zero without a position."""
        return self.basis / self.amount if self.amount else ZERO

    def profit_at(self, price: Decimal) -> Decimal:
        """Return the profit if the position were closed at ``price``."""
        return self.amount * price - self.basis


class Account(Record):
    """One customer: a spot account and a USD-M futures account."""

    kind: ClassVar[str] = "account"
    name: str
    number: int
    spot_rates: Rates = Rates(maker=Decimal("0.001"), taker=Decimal("0.001"))
    futures_rates: Rates = Rates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
    spot: dict[str, Balance] = Field(default_factory=dict)
    wallet: dict[str, Decimal] = Field(default_factory=dict)
    is_hedged: bool = False
    settings: dict[str, MarginSetting] = Field(default_factory=dict)
    positions: dict[str, Position] = Field(default_factory=dict)
    updated_ms: int = 0

    @property
    def key(self) -> str:
        """Return the name."""
        return self.name

    def balance(self, asset: str) -> Balance:
        """Return the balance of a currency, an empty one if there is none yet."""
        return self.spot.setdefault(asset, Balance())

    def setting(self, symbol: str) -> MarginSetting:
        """Return how positions of a perpetual are margined."""
        return self.settings.setdefault(symbol, MarginSetting())

    def position(self, symbol: str, asset: str, side: PositionSide) -> Position:
        """Return the position of a perpetual that is settled in ``asset``, an empty one if there is none."""
        return self.positions.setdefault(f"{symbol}:{side}", Position(symbol=symbol, asset=asset, side=side))

    def held(self, symbol: str | None = None) -> list[Position]:
        """Return the positions that are not empty."""
        return [
            one for one in self.positions.values() if one.amount and (symbol is None or one.symbol == symbol)
        ]


class Order(Record):
    """One order, from its acceptance on.

    Attributes
    ----------
    price
        The limit; zero for a market order.
    quote_amount
        What a market order was told to spend or to earn; zero if it was told an amount.
    locked
        What is still reserved for it in a spot account: quote currency of a purchase, else base currency.
    is_waiting
        Whether it waits for ``stop_price``.
    is_conditional
        Whether it is a futures order that places another one, ``child``, when its price comes.
    """

    kind: ClassVar[str] = "order"
    number: int
    account: str
    board: Board
    symbol: str
    base: str
    quote: str
    client_id: str
    side: Side
    type: str
    time_in_force: str = "GTC"
    amount: Decimal
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    quote_amount: Decimal = ZERO
    status: Status = Status.NEW
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    locked: Decimal = ZERO
    is_waiting: bool = False
    is_conditional: bool = False
    child: int | None = None
    reduce_only: bool = False
    close_position: bool = False
    position_side: PositionSide = "BOTH"
    working_type: str = "CONTRACT_PRICE"
    placed_ms: int
    updated_ms: int
    triggered_ms: int = 0

    @property
    def key(self) -> str:
        """Return the number as text."""
        return str(self.number)

    @property
    def remaining(self) -> Decimal:
        """Return what is not filled yet."""
        return self.amount - self.filled

    @property
    def mean_price(self) -> Decimal:
        """Return the mean price of the fills; zero without any."""
        return self.cost / self.filled if self.filled else ZERO


class Fill(Record):
    """One fill of an order."""

    kind: ClassVar[str] = "fill"
    number: int
    order: int
    account: str
    board: Board
    symbol: str
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    time_ms: int
    realised: Decimal = ZERO
    position_side: PositionSide = "BOTH"

    @property
    def key(self) -> str:
        """Return the number as text."""
        return str(self.number)

    @property
    def cost(self) -> Decimal:
        """Return the worth in quote currency."""
        return self.price * self.amount


class Income(Record):
    """One change of a futures wallet."""

    kind: ClassVar[str] = "income"
    number: int
    account: str
    symbol: str
    type: str
    asset: str
    amount: Decimal
    time_ms: int
    fill: int | None = None

    @property
    def key(self) -> str:
        """Return the number as text."""
        return str(self.number)
