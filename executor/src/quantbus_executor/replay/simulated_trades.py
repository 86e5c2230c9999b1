"""Trades of the simulated loop: they are asked the same things as Freqtrade's own."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["SimulatedOrder", "SimulatedTrade"]


@dataclass(slots=True)
class SimulatedOrder:
    """A market order; it is filled the moment it is placed."""

    order_id: str
    ft_order_side: str
    ft_order_tag: str | None
    order_date_utc: datetime
    safe_price: float
    safe_filled: float
    ft_is_open: bool = False

    @property
    def order_filled_utc(self) -> datetime | None:
        """When it was filled."""
        return self.order_date_utc


@dataclass(slots=True)
class SimulatedTrade:
    """A position and what became of it."""

    id: int
    pair: str
    enter_tag: str | None
    open_date_utc: datetime
    is_short: bool
    open_rate: float
    amount: float
    stake_amount: float
    leverage: float | None = 1.0
    stop_loss: float | None = None
    stop_loss_pct: float | None = None
    is_open: bool = True
    close_date_utc: datetime | None = None
    close_rate: float | None = None
    exit_reason: str | None = None
    orders: list[SimulatedOrder] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    def get_custom_data(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - any JSON value
        """Return what was kept with the trade."""
        return self.kept.get(key, default)

    def set_custom_data(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
        """Keep a value with the trade."""
        self.kept[key] = value

    def profit(self, fee: float) -> float:
        """Return what it made, in quote currency, with ``fee`` (a share of the worth) paid on either side."""
        if self.close_rate is None:
            return 0.0
        bought, sold = self.amount * self.open_rate, self.amount * self.close_rate
        direction = -1 if self.is_short else 1
        return (sold - bought) * direction - fee * (bought + sold)
