"""What this room needs from the bus."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from quantbus_contracts.mongo.holes import Hole
from quantbus_contracts.schema import Gap, GapState
from quantbus_contracts.timeframe import Timeframe

__all__ = ["GapLedger", "Holes"]


class GapLedger(Protocol):
    """Where gaps are kept; `AsyncGapStore` is one."""

    async def put(self, gaps: Sequence[Gap]) -> int:
        """Store or replace rows."""
        ...

    async def find(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        states: Collection[GapState] | None = None,
    ) -> list[Gap]:
        """Return the gaps that touch ``[start, end)``."""
        ...


class Holes(Protocol):
    """What is missing between stored bars; `AsyncHoleFinder` is one."""

    async def holes(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[Hole]:
        """Return the holes between stored bars in ``[start, end)``, oldest first."""
        ...
