"""Checks of orders and money."""

from quantbus_services.monitor.checks.orders.balance_low import BalanceLow
from quantbus_services.monitor.checks.orders.daily_loss import DailyLoss
from quantbus_services.monitor.checks.orders.drawdown_high import DrawdownHigh
from quantbus_services.monitor.checks.orders.order_rejects import OrderRejects
from quantbus_services.monitor.checks.orders.orders_in_doubt import OrdersInDoubt
from quantbus_services.monitor.checks.orders.position_mismatch import PositionMismatch
from quantbus_services.monitor.checks.orders.slippage_high import SlippageHigh

__all__ = [
    "BalanceLow",
    "DailyLoss",
    "DrawdownHigh",
    "OrderRejects",
    "OrdersInDoubt",
    "PositionMismatch",
    "SlippageHigh",
]
