"""Whether the bot's own loop turns."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BOT, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["ExecutorLoopStale"]


class ExecutorLoopStale:
    """Finds a bot whose REST API answers while its loop stands still."""

    name: ClassVar[str] = "executor_loop_stale"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = "Freqtrade's last_process_ts longer ago than the loop limit"
    needs: ClassVar[Needs] = BOT

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._figures = sources.figures
        self._bot = sources.bot_name
        self._limit = sources.limits.loop_stale_after

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding if the loop has not turned lately.

        Raises
        ------
        BotUnavailable
            If the bot does not answer.
        """
        if self._figures is None:
            return []
        figures = await self._figures.at(now)
        last = figures.last_process or figures.started_at
        if last is not None and now - last <= self._limit:
            return []
        found = f"it last did at {last.isoformat()}" if last is not None else "it never did"
        return [
            Finding(
                kind=self.name,
                severity=Severity.CRITICAL,
                subject=self._bot,
                message=f"expected the loop of {self._bot} to turn every few seconds, but {found}",
                action="see its log for a hanging request; no signal is acted upon and no stop is moved meanwhile",
            )
        ]
