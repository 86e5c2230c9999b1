"""What is needed of Freqtrade's trades, as protocols: its own records satisfy them, and so do plain fakes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

__all__ = ["OrderRecord", "TradeBook", "TradeRecord"]


class OrderRecord(Protocol):
    """One order of a trade, as Freqtrade keeps it."""

    @property
    def order_id(self) -> str:
        """The venue's id."""
        ...

    @property
    def ft_order_side(self) -> str:
        """``buy``, ``sell`` or ``stoploss``."""
        ...

    @property
    def ft_order_tag(self) -> str | None:
        """The tag it was placed with."""
        ...

    @property
    def ft_is_open(self) -> bool:
        """Whether it may still fill."""
        ...

    @property
    def safe_price(self) -> float:
        """Average price of the fill, else the price asked for."""
        ...

    @property
    def safe_filled(self) -> float:
        """Amount filled, in base currency."""
        ...

    @property
    def order_date_utc(self) -> datetime:
        """When it was placed."""
        ...

    @property
    def order_filled_utc(self) -> datetime | None:
        """When it was filled; None before."""
        ...


class TradeRecord(Protocol):
    """One trade, as Freqtrade keeps it."""

    @property
    def id(self) -> int:
        """Freqtrade's number of it."""
        ...

    @property
    def pair(self) -> str:
        """What is traded."""
        ...

    @property
    def enter_tag(self) -> str | None:
        """The tag it was entered with."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether anything is still to come of it."""
        ...

    @property
    def is_short(self) -> bool:
        """Whether it is a short position."""
        ...

    @property
    def open_date_utc(self) -> datetime:
        """When it was opened."""
        ...

    @property
    def close_date_utc(self) -> datetime | None:
        """When it was closed; None before."""
        ...

    @property
    def amount(self) -> float:
        """How much is held, in base currency."""
        ...

    @property
    def stake_amount(self) -> float:
        """What was staked on what is held, at the prices it was entered at, in quote currency."""
        ...

    @property
    def open_rate(self) -> float:
        """The average price it was entered at."""
        ...

    @property
    def leverage(self) -> float | None:
        """How many times its stake the position is worth; None for 1, in records of old."""
        ...

    @property
    def stop_loss(self) -> float | None:
        """The price of the stop that Freqtrade holds; None or 0 before there is one."""
        ...

    @property
    def stop_loss_pct(self) -> float | None:
        """That stop as Freqtrade was last told it: a share of the stake from the rate at that time, below zero."""
        ...

    @property
    def orders(self) -> Sequence[OrderRecord]:
        """Its orders, oldest first."""
        ...

    def get_custom_data(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - any JSON value
        """Return what was kept with the trade under ``key``."""
        ...

    def set_custom_data(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Keep a JSON value with the trade, across restarts."""
        ...


class TradeBook(Protocol):
    """Freqtrade's own trades: the source of truth about what was traded."""

    def open_trades(self) -> Sequence[TradeRecord]:
        """Return the trades that are open."""
        ...

    def tagged(self, tag: str) -> Sequence[TradeRecord]:
        """Return the trades, open or closed, that were entered with ``tag``."""
        ...

    def trade(self, trade_id: int) -> TradeRecord | None:
        """Return one trade; None if there is none of that number (any more)."""
        ...

    def closed_since(self, pair: str, moment: datetime) -> Sequence[TradeRecord]:
        """Return the trades of a pair that were closed after ``moment``, in any order."""
        ...

    def latest(self, count: int) -> Sequence[TradeRecord]:
        """Return the trades that were opened last, newest first."""
        ...
