"""Where Alertmanager's messages arrive and go on to people, and where its silence is noticed."""

from quantbus_services.monitor.alerts.room import AlertRoom

__all__ = ["AlertRoom"]
