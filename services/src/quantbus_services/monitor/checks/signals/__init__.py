"""Checks of signals: whether they come, in time, and what bots make of them."""

from quantbus_services.monitor.checks.signals.refused_share import RefusedShare
from quantbus_services.monitor.checks.signals.signal_late import SignalLate
from quantbus_services.monitor.checks.signals.signal_missing import SignalMissing
from quantbus_services.monitor.checks.signals.signals_unseen import SignalsUnseen
from quantbus_services.monitor.checks.signals.whitelist_exposure import WhitelistExposure

__all__ = ["RefusedShare", "SignalLate", "SignalMissing", "SignalsUnseen", "WhitelistExposure"]
