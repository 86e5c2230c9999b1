"""Everything that is checked: `CHECKS` is the whole list."""

from quantbus_services.monitor.checks.base import Check, Limits, Sources
from quantbus_services.monitor.checks.candle_stale import CandleStale
from quantbus_services.monitor.checks.heartbeat_lost import HeartbeatLost
from quantbus_services.monitor.checks.orders_in_doubt import OrdersInDoubt
from quantbus_services.monitor.checks.position_mismatch import PositionMismatch
from quantbus_services.monitor.checks.signal_late import SignalLate
from quantbus_services.monitor.checks.signal_missing import SignalMissing
from quantbus_services.monitor.checks.signals_unseen import SignalsUnseen

__all__ = ["CHECKS", "Check", "Limits", "Sources"]

CHECKS: tuple[type[Check], ...] = (
    CandleStale,
    SignalMissing,
    SignalLate,
    SignalsUnseen,
    PositionMismatch,
    HeartbeatLost,
    OrdersInDoubt,
)
