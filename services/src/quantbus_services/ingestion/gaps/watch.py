"""Look at a range of a series, and note in the ledger what is missing there."""

from collections.abc import Callable
from datetime import datetime

from quantbus_contracts.mongo.holes import Hole
from quantbus_contracts.schema import Gap, GapState
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.gaps.ledger import Seen, reconcile, widened
from quantbus_services.ingestion.gaps.ports import GapLedger, Holes

__all__ = ["GapWatch"]


class GapWatch:
    """Keeps the ledger true for the ranges that it is shown."""

    def __init__(self, holes: Holes, ledger: GapLedger, *, seen_by: str, now: Callable[[], datetime]) -> None:
        """Find with ``holes``, keep in ``ledger``; ``seen_by`` is who is told to have seen a new gap."""
        self._holes = holes
        self._ledger = ledger
        self._seen_by = seen_by
        self._now = now

    async def look(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> list[Gap]:
        """Note every hole between stored bars in ``[start, end)``; return the rows that changed.

        Raises
        ------
        BusError
            If the bus fails.
        """
        known = await self._ledger.find(symbol, timeframe, start, end)
        span = widened(Hole(start, end), (gap for gap in known if gap.state is not GapState.REPAIRED))
        missing = await self._holes.holes(symbol, timeframe, span.start, span.end)
        if not missing and all(gap.state is GapState.REPAIRED for gap in known):
            return []
        changed = reconcile(known, missing, Seen(symbol, timeframe, self._seen_by, self._now()))
        if changed:
            await self._ledger.put(changed)
        return changed
