"""What one order costs: fee, spread and market impact, as shares of its value."""

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantbus_contracts.errors import ConfigError

__all__ = ["FREE", "CostModel"]

_BOUNDS = {
    "fee_rate": (0.0, 0.1),
    "spread_rate": (0.0, 0.2),
    # With at most 0.5 and an exponent of at most 1, a larger order never brings in more, and higher costs never
    # leave more behind.
    "impact_alpha": (0.0, 0.5),
    "impact_beta": (0.0, 1.0),
    "delay_bars": (0.0, 1_000.0),
    "minimum_order": (0.0, 1e12),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """The terms on which a backtest trades.

    A buy fills at ``price * (1 + spread_rate / 2 + impact_alpha * participation ** impact_beta)``, a sale below the
    price by as much; the fee comes on top. *Participation* is the order's value over the traded value of the last
    closed bar, at most 1, and 1 where nothing was traded in it.

    Attributes
    ----------
    fee_rate
        Share of an order's value paid to the venue, each way: 0.001 is 10 basis points.
    spread_rate
        Width of the order book as a share of the price; half of it is paid each way.
    impact_alpha, impact_beta
        How the price moves against an order.
    delay_bars
        How long after the open of the next bar an order fills. Whole bars are waited for; within a bar the price is
        taken to go from open to close in a straight line. A delay may help as well as harm.
    minimum_order
        Least value of an order in quote currency; what is less is not done, unless it ends a position.
    """

    fee_rate: float = 0.0
    spread_rate: float = 0.0
    impact_alpha: float = 0.0
    impact_beta: float = 0.5
    delay_bars: float = 0.0
    minimum_order: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming each."""
        for name, (low, high) in _BOUNDS.items():
            value: float = getattr(self, name)
            if not (isfinite(value) and low <= value <= high):
                raise ConfigError(f"{name}: expected a number from {low:g} to {high:g}, found {value!r}")

    def adverse_rate(self, order_value: ArrayLike, traded_value: ArrayLike) -> NDArray[np.float64]:
        """Return by which share of the price an order fills worse than it: half the spread and the impact."""
        order, traded = np.broadcast_arrays(
            np.asarray(order_value, np.float64), np.asarray(traded_value, np.float64)
        )
        participation = np.ones(order.shape)
        np.divide(np.minimum(order, traded), traded, out=participation, where=traded > 0)
        return self.spread_rate / 2 + self.impact_alpha * participation**self.impact_beta

    def round_trip_rate(self, participation: float = 0.0) -> float:
        """Return what buying and selling again costs, as a share of the value traded each way."""
        one_way = self.fee_rate + float(self.adverse_rate(participation, 1.0))
        return 2 * one_way

    def scaled(self, factor: float = 1.0, *, fees: float = 1.0, slippage: float = 1.0) -> "CostModel":
        """Return the model with its fee, and its spread and impact, times a factor; delay and minimum stay."""
        return replace(
            self,
            fee_rate=self.fee_rate * factor * fees,
            spread_rate=self.spread_rate * factor * slippage,
            impact_alpha=self.impact_alpha * factor * slippage,
        )


FREE = CostModel()
"""Trading that costs nothing: what an edge is before costs."""
