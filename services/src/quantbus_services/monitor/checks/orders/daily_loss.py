"""Whether the bot has lost more today than it may in a day."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BOT, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["DailyLoss"]


class DailyLoss:
    """Finds a bot that has lost too much since midnight UTC."""

    name: ClassVar[str] = "daily_loss"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = (
        "loss of the trades closed since midnight UTC and of those still open above the limit"
    )
    needs: ClassVar[Needs] = BOT

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._figures = sources.figures
        self._bot = sources.bot_name
        self._limit = sources.limits.daily_loss_ratio

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding if the day's loss is above the limit.

        Raises
        ------
        BotUnavailable
            If the bot does not answer.
        """
        if self._figures is None:
            return []
        loss = -(await self._figures.at(now)).day_profit_ratio
        if loss <= self._limit:
            return []
        return [
            Finding(
                kind=self.name,
                severity=Severity.CRITICAL,
                subject=self._bot,
                message=f"expected {self._bot} to lose at most {self._limit:.1%} in a day, but it has lost {loss:.1%} "
                "since midnight UTC, open trades included",
                action="`quantbus controls block` stops entries for the rest of the day; see which trades lost",
                evidence=f"limit x {loss // self._limit:.0f}",
            )
        ]
