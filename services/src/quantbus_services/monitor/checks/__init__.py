"""Everything that is checked: `CHECKS` is the whole list."""

from quantbus_services.monitor.checks.base import Check, Limits, Noting, Sources
from quantbus_services.monitor.checks.data import CandleGap, CandleStale, ExchangeLimited
from quantbus_services.monitor.checks.orders import (
    BalanceLow,
    DailyLoss,
    DrawdownHigh,
    OrderRejects,
    OrdersInDoubt,
    PositionMismatch,
    SlippageHigh,
)
from quantbus_services.monitor.checks.platform import (
    AuditBroken,
    BusDown,
    ClockOffset,
    ControlsForgotten,
    DiskLow,
    ExecutorLoopStale,
    HeartbeatLost,
    ReplicaLag,
)
from quantbus_services.monitor.checks.signals import (
    RefusedShare,
    SignalLate,
    SignalMissing,
    SignalsUnseen,
    WhitelistExposure,
)

__all__ = ["CHECKS", "Check", "Limits", "Noting", "Sources"]

CHECKS: tuple[type[Check], ...] = (
    BusDown,
    ReplicaLag,
    DiskLow,
    ClockOffset,
    HeartbeatLost,
    ExecutorLoopStale,
    AuditBroken,
    ControlsForgotten,
    CandleStale,
    CandleGap,
    ExchangeLimited,
    SignalMissing,
    SignalLate,
    SignalsUnseen,
    RefusedShare,
    WhitelistExposure,
    OrdersInDoubt,
    OrderRejects,
    SlippageHigh,
    BalanceLow,
    DrawdownHigh,
    DailyLoss,
    PositionMismatch,
)
