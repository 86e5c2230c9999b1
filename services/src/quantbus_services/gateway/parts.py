"""What the routes work with, put together by ``main``."""

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.signal_pages import AsyncSignalPages
from quantbus_contracts.mongo.signal_reader import AsyncSignalReader
from quantbus_services.gateway.gate import Gate
from quantbus_services.gateway.markets import Markets
from quantbus_services.gateway.metrics import GatewayMetrics
from quantbus_services.gateway.publishing import Publisher
from quantbus_services.gateway.pulse import Pulse
from quantbus_services.gateway.settings import GatewaySettings

__all__ = ["Parts"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that outlives a request."""

    settings: GatewaySettings
    gate: Gate
    publisher: Publisher
    pages: AsyncSignalPages
    reader: AsyncSignalReader
    ledger: AsyncExecutionReader
    markets: Markets
    pulse: Pulse
    metrics: GatewayMetrics
    registry: CollectorRegistry
    monotonic: Callable[[], float]
