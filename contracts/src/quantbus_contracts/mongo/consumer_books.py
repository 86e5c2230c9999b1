"""Everything that one bot has told of what it holds, for whoever compares it."""

from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import Balance, Fill, Holding

__all__ = ["AsyncConsumerBooks", "ConsumerBooks"]


@dataclass(frozen=True, slots=True)
class ConsumerBooks:
    """One bot's rows."""

    positions: tuple[Holding, ...]
    fills: tuple[Fill, ...]
    balances: tuple[Balance, ...]


def _of(consumer_id: str, fills_since: datetime) -> Steps[ConsumerBooks]:
    own: Row = {"consumer_id": {"$eq": consumer_id}}
    positions = yield find("positions", own, {"_id": 0}, sort=[("pair", 1)])
    fills = yield find(
        "fills",
        own | {"filled_at": {"$gte": fills_since}},
        {"_id": 0},
        sort=[("filled_at", 1)],
        batch_size=5_000,
    )
    balances = yield find("balances", own, {"_id": 0}, sort=[("currency", 1)])
    return ConsumerBooks(
        tuple(Holding(**row) for row in positions),
        tuple(Fill(**row) for row in fills),
        tuple(Balance(**row) for row in balances),
    )


class AsyncConsumerBooks:
    """Reads one bot's rows."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def of(self, consumer_id: str, *, fills_since: datetime) -> ConsumerBooks:
        """Return its positions, balances, and fills since, the oldest first."""
        return await self._connection.run(_of(consumer_id, fills_since))
