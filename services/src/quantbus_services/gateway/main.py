"""The composition root: settings, metrics, clock, bus, gate, routes, server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.api_keys import AsyncApiKeyStore
from quantbus_contracts.mongo.client import connect_async
from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.mongo.instruments import AsyncInstrumentStore
from quantbus_contracts.mongo.signal_pages import AsyncSignalPages
from quantbus_contracts.mongo.signal_reader import AsyncSignalReader
from quantbus_contracts.mongo.strategies import AsyncStrategyStore
from quantbus_contracts.runtime.metrics import new_registry
from quantbus_contracts.runtime.serving import announced, listen, serve_app, url_of
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.gateway.app import create_app
from quantbus_services.gateway.gate import Gate
from quantbus_services.gateway.limits import Buckets
from quantbus_services.gateway.markets import Markets
from quantbus_services.gateway.metrics import GatewayMetrics
from quantbus_services.gateway.parts import Parts
from quantbus_services.gateway.publishing import Publisher
from quantbus_services.gateway.pulse import Pulse
from quantbus_services.gateway.settings import GatewaySettings

__all__ = ["assembled", "serve"]

_log = structlog.get_logger(__name__)
_VERSION = version("quantbus-services")
_PULSE_SECONDS = 5.0
_LAST_REQUESTS_SECONDS = 3


async def serve(settings: GatewaySettings, mongo: MongoSettings) -> int:
    """Serve until cancelled."""
    with listen(settings.host, settings.port) as listening:
        async with assembled(settings, mongo) as parts:
            url = url_of(listening)
            with announced(settings.ready_file, url, parts.pulse.became_ready):
                _log.info("serving", url=url)
                async with asyncio.TaskGroup() as group:
                    app = create_app(parts, version=_VERSION)
                    group.create_task(serve_app(app, listening, last_requests_seconds=_LAST_REQUESTS_SECONDS))
                    group.create_task(parts.pulse.run(_PULSE_SECONDS))
    return 0


@asynccontextmanager
async def assembled(settings: GatewaySettings, mongo: MongoSettings) -> AsyncIterator[Parts]:
    """Put the parts together over one connection, and close it at the end."""
    registry = new_registry("gateway", _VERSION)
    metrics = GatewayMetrics(registry)
    connection = connect_async(mongo, app="gateway", timeout_seconds=settings.bus_seconds)
    gate = Gate(
        AsyncApiKeyStore(connection),
        SystemClock(),
        metrics,
        rates=Buckets(settings.rate_per_second, settings.rate_burst, time.monotonic),
        failures=Buckets(
            settings.failures_per_minute / 60, max(1.0, settings.failures_per_minute), time.monotonic
        ),
        trust_seconds=settings.key_seconds,
    )
    pulse = Pulse(
        connection.server_now,
        AsyncHeartbeatStore(connection).beat,
        metrics,
        instance=settings.instance,
        version=_VERSION,
    )
    try:
        yield Parts(
            settings=settings,
            gate=gate,
            publisher=Publisher(connection, metrics),
            pages=AsyncSignalPages(connection),
            reader=AsyncSignalReader(connection),
            ledger=AsyncExecutionReader(connection),
            markets=Markets(AsyncStrategyStore(connection), AsyncInstrumentStore(connection), time.monotonic),
            pulse=pulse,
            metrics=metrics,
            registry=registry,
            monotonic=time.monotonic,
        )
    finally:
        await connection.close()
