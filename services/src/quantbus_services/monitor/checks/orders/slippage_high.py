"""Whether fills come at the prices that signals were made for."""

from datetime import datetime, timedelta
from statistics import fmean
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["SlippageHigh"]


class SlippageHigh:
    """Finds each bot whose recent fills were dear on average, against ``ref_price``."""

    name: ClassVar[str] = "slippage_high"
    every: ClassVar[timedelta] = timedelta(seconds=30)
    threshold: ClassVar[str] = (
        "mean slippage of a bot's recent fills above the limit; fills without ref_price do not count"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each bot with high slippage at ``now``."""
        slipped: dict[str, list[float]] = {}
        for row in await self._view.executions(now - self._limits.orders):
            if row.slippage is not None and row.filled_at is not None:
                slipped.setdefault(row.consumer_id, []).append(row.slippage)
        return [
            Finding(
                kind=self.name,
                severity=Severity.WARNING,
                subject=bot,
                message=f"expected fills of {bot} within {self._limits.slippage_ratio:.2%} of ref_price, but its last "
                f"{len(ratios)} were {fmean(ratios):.2%} worse on average, the worst {max(ratios):.2%}",
                action="see how long signals wait (latency), and whether orders are large for the market's depth",
            )
            for bot, ratios in sorted(slipped.items())
            if fmean(ratios) > self._limits.slippage_ratio
        ]
