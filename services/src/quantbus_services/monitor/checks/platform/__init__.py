"""Checks of what everything stands on: the bus, clocks, processes."""

from quantbus_services.monitor.checks.platform.audit_broken import AuditBroken
from quantbus_services.monitor.checks.platform.bus_down import BusDown
from quantbus_services.monitor.checks.platform.clock_offset import ClockOffset
from quantbus_services.monitor.checks.platform.controls_forgotten import ControlsForgotten
from quantbus_services.monitor.checks.platform.disk_low import DiskLow
from quantbus_services.monitor.checks.platform.executor_loop_stale import ExecutorLoopStale
from quantbus_services.monitor.checks.platform.heartbeat_lost import HeartbeatLost
from quantbus_services.monitor.checks.platform.replica_lag import ReplicaLag

__all__ = [
    "AuditBroken",
    "BusDown",
    "ClockOffset",
    "ControlsForgotten",
    "DiskLow",
    "ExecutorLoopStale",
    "HeartbeatLost",
    "ReplicaLag",
]
