"""Freqtrade's answers as what the bot believes; pure."""

import re
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, RootModel

from quantbus_services.monitor.reconciliation.sides import BotBook, BotOrder, ClosedTrade, OpenTrade

__all__ = ["ClosedTrades", "Configuration", "OpenTrades", "Trade", "book_of"]

_SIGNAL_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")


class _Answer(BaseModel):
    """A part of an answer; what is not looked at may be anything."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Order(_Answer):
    order_id: str
    ft_order_side: str
    is_open: bool
    order_timestamp: int | None = None
    order_filled_timestamp: int | None = None

    def as_bot_order(self, *, is_short: bool) -> BotOrder:
        purpose: Literal["entry", "exit", "stop"] = "exit"
        if self.ft_order_side == "stoploss":
            purpose = "stop"
        elif self.ft_order_side == ("sell" if is_short else "buy"):
            purpose = "entry"
        placed, filled = _moment(self.order_timestamp), _moment(self.order_filled_timestamp)
        return BotOrder(self.order_id, purpose, self.is_open, placed, filled)


class Trade(_Answer):
    """The part of Freqtrade's trade that is looked at."""

    trade_id: int
    pair: str
    is_open: bool
    is_short: bool
    open_timestamp: int
    close_timestamp: int | None = None
    enter_tag: str | None = None
    has_open_orders: bool = False
    amount: float = 0.0
    orders: tuple[_Order, ...] = ()

    @property
    def signal_id(self) -> str | None:
        """The signal that its tag names; None if it names none."""
        tag = _SIGNAL_ID.search(self.enter_tag or "")
        return tag.group() if tag else None

    def as_open_trade(self) -> OpenTrade:
        """Return it as one that is open."""
        return OpenTrade(
            trade_id=self.trade_id,
            pair=self.pair,
            direction="short" if self.is_short else "long",
            signal_id=self.signal_id,
            opened_at=datetime.fromtimestamp(self.open_timestamp / 1000, UTC),
            in_flight=self.has_open_orders,
            amount=self.amount,
            orders=tuple(order.as_bot_order(is_short=self.is_short) for order in self.orders),
        )

    def as_closed_trade(self) -> ClosedTrade:
        """Return it as one that is closed."""
        closed = self.close_timestamp if self.close_timestamp is not None else self.open_timestamp
        return ClosedTrade(
            self.trade_id,
            self.pair,
            self.signal_id,
            datetime.fromtimestamp(closed / 1000, UTC),
            tuple(order.order_id for order in self.orders),
        )


class ClosedTrades(_Answer):
    """The newest closed trades."""

    trades: tuple[Trade, ...]


class Configuration(_Answer):
    """What the bot is set to."""

    dry_run: bool
    trading_mode: str
    stake_currency: str
    stoploss_on_exchange: bool = False


class OpenTrades(RootModel[tuple[Trade, ...]]):
    """``/status``."""


def book_of(configuration: Configuration, trades: OpenTrades, closed: ClosedTrades) -> BotBook:
    """Return what the bot believes."""
    return BotBook(
        trades=tuple(trade.as_open_trade() for trade in trades.root if trade.is_open),
        closed=tuple(trade.as_closed_trade() for trade in closed.trades if not trade.is_open),
        dry_run=configuration.dry_run,
        market="swap" if configuration.trading_mode == "futures" else "spot",
        stake_currency=configuration.stake_currency,
        stops_at_venue=configuration.stoploss_on_exchange and not configuration.dry_run,
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
