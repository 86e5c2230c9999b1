"""The public signal bus: the one door through which signals are published."""

from quantbus_contracts.bus.signal_bus import AsyncSignalBus, SignalBus

__all__ = ["AsyncSignalBus", "SignalBus"]
