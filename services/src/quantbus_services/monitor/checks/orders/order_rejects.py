"""Whether the venue takes our orders."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts import Execution
from quantbus_contracts.schema import ExecutionState
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["OrderRejects", "rejects_in_a_row"]

_TAKEN = (ExecutionState.ORDERED, ExecutionState.FILLED)


def rejects_in_a_row(rows: Sequence[Execution]) -> Mapping[str, Sequence[Execution]]:
    """Return by consumer the rows that the venue rejected since it last took an order; empty where it took the last."""
    streaks: dict[str, list[Execution]] = {}
    for row in sorted(rows, key=lambda row: row.ordered_at or row.accepted_at or row.seen_at):
        if row.state in _TAKEN:
            streaks[row.consumer_id] = []
        elif row.state is ExecutionState.REJECTED:
            streaks.setdefault(row.consumer_id, []).append(row)
    return streaks


class OrderRejects:
    """Finds each bot whose last orders were all rejected."""

    name: ClassVar[str] = "order_rejects"
    every: ClassVar[timedelta] = timedelta(seconds=5)
    threshold: ClassVar[str] = (
        "as many rejections in a row as the limit, the venue having taken no order since"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each bot that is turned away at ``now``."""
        streaks = rejects_in_a_row(await self._view.executions(now - self._limits.orders))
        return [
            self._finding(bot, streak)
            for bot, streak in sorted(streaks.items())
            if len(streak) >= self._limits.rejects_in_a_row
        ]

    def _finding(self, bot: str, streak: Sequence[Execution]) -> Finding:
        last = streak[-1]
        return Finding(
            kind=self.name,
            severity=Severity.CRITICAL,
            subject=bot,
            strategy_id=last.strategy_id,
            pair=last.pair,
            message=f"expected the venue to take the orders of {bot}, but it rejected the last {len(streak)}, "
            f"most recently {last.pair} ({last.reason})",
            action="look in the bot's log what the venue answered; `quantbus controls block` stops entries meanwhile",
        )
