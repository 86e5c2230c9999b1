"""quantbus_contracts: the shared language of the signal bus.

The plain package needs pydantic only. `SignalBus` is loaded on first use and needs the extra ``mongo``.
"""

from typing import TYPE_CHECKING

from quantbus_contracts.clock import Clock, SystemClock
from quantbus_contracts.errors import (
    ArtefactError,
    BusError,
    BusUnavailable,
    ConfigError,
    ContractError,
    KeyConflict,
    QuantbusError,
    UnknownInstrument,
    VenueError,
    VenueRefused,
    VenueUnavailable,
)
from quantbus_contracts.schema import (
    Candle,
    Execution,
    Heartbeat,
    PublishedSignal,
    PublishReport,
    PublishRun,
    Signal,
    Strategy,
)
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe

if TYPE_CHECKING:
    from quantbus_contracts.bus import SignalBus

__all__ = [
    "ArtefactError",
    "BusError",
    "BusUnavailable",
    "Candle",
    "Clock",
    "ConfigError",
    "ContractError",
    "Execution",
    "Heartbeat",
    "Instrument",
    "InstrumentCatalogue",
    "KeyConflict",
    "PublishReport",
    "PublishRun",
    "PublishedSignal",
    "QuantbusError",
    "Signal",
    "SignalBus",
    "Strategy",
    "SystemClock",
    "Timeframe",
    "UnknownInstrument",
    "VenueError",
    "VenueRefused",
    "VenueUnavailable",
]


def __getattr__(name: str) -> object:
    if name == "SignalBus":
        from quantbus_contracts.bus import SignalBus

        return SignalBus
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
