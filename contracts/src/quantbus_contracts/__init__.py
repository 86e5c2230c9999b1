"""quantbus_contracts: the shared language of the signal bus.

The plain package needs pydantic only. `SignalBus` is loaded on first use and needs the extra ``mongo``; so are
`MarketData` and the functions that read bars, which need ``mongo`` and ``frames``.
"""

from importlib import import_module
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
    from quantbus_contracts.market import (
        AsyncMarketData,
        MarketContext,
        MarketData,
        get_crypto_market_data,
        get_crypto_min_data,
        get_market_data,
    )

__all__ = [
    "ArtefactError",
    "AsyncMarketData",
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
    "MarketContext",
    "MarketData",
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
    "get_crypto_market_data",
    "get_crypto_min_data",
    "get_market_data",
]

_LATE = {
    "SignalBus": "bus",
    "AsyncMarketData": "market",
    "MarketContext": "market",
    "MarketData": "market",
    "get_crypto_market_data": "market",
    "get_crypto_min_data": "market",
    "get_market_data": "market",
}


def __getattr__(name: str) -> object:
    if name in _LATE:
        return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
