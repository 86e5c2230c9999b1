"""Whether the bot has lost more than it may since its best day."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BOT, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["DrawdownHigh"]


class DrawdownHigh:
    """Finds a bot whose equity is too far below the highest balance that its closed trades had brought."""

    name: ClassVar[str] = "drawdown_high"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = (
        "equity, open trades included, below the highest closed balance by more than the limit"
    )
    needs: ClassVar[Needs] = BOT

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._figures = sources.figures
        self._bot = sources.bot_name
        self._limit = sources.limits.drawdown_ratio

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding if the drawdown is above the limit.

        Raises
        ------
        BotUnavailable
            If the bot does not answer.
        """
        if self._figures is None:
            return []
        figures = await self._figures.at(now)
        if figures.drawdown_ratio <= self._limit:
            return []
        return [
            Finding(
                kind=self.name,
                severity=Severity.CRITICAL,
                subject=self._bot,
                message=f"expected {self._bot} to stay within {self._limit:.1%} of its highest balance, but it is "
                f"{figures.drawdown_ratio:.1%} below, at {figures.equity:g} {figures.stake_currency}",
                action="`quantbus controls block` stops entries; look which strategy lost before letting it go on",
                evidence=f"limit x {figures.drawdown_ratio // self._limit:.0f}",
            )
        ]
