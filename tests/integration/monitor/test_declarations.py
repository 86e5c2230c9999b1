"""Since when a strategy stands declared: what "never evaluated" is measured from."""

import pytest

from quantbus_contracts import Strategy
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.strategies import AsyncStrategyStore, StrategyStore

pytestmark = pytest.mark.integration
STRATEGY = Strategy(
    strategy_id="demo", venue="BINANCE", timeframe="1m", pairs=("BTC/USDT",), max_delay_seconds=20
)


def test_the_same_declaration_again_keeps_its_time(connection: Connection) -> None:
    store = StrategyStore(connection)
    before = connection.server_now()
    store.declare(STRATEGY)
    first = store.declared_at()["demo"]
    store.declare(STRATEGY)
    assert store.declared_at()["demo"] == first
    assert before <= first <= connection.server_now()
    assert store.all() == [STRATEGY]


def test_another_declaration_starts_anew(connection: Connection) -> None:
    store = StrategyStore(connection)
    store.declare(STRATEGY)
    first = store.declared_at()["demo"]
    while connection.server_now() <= first:
        pass
    changed = STRATEGY.model_copy(update={"cadence_bars": 5})
    store.declare(changed)
    assert store.declared_at()["demo"] > first
    assert store.all() == [changed]


async def test_the_asynchronous_store_agrees(
    connection: Connection, async_connection: AsyncConnection
) -> None:
    await AsyncStrategyStore(async_connection).declare(STRATEGY)
    store = StrategyStore(connection)
    assert await AsyncStrategyStore(async_connection).declared_at() == store.declared_at()
    assert await AsyncStrategyStore(async_connection).all() == [STRATEGY]
