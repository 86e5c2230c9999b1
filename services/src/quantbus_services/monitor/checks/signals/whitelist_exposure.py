"""Whether the bot may trade what strategies speak of."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_services.monitor.checks.base import BUS_AND_BOT, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["WhitelistExposure"]

_SHOWN = 5


class WhitelistExposure:
    """Finds each strategy that the bot follows with recent signals on pairs that the bot's whitelist lacks."""

    name: ClassVar[str] = "whitelist_exposure"
    every: ClassVar[timedelta] = timedelta(seconds=30)
    threshold: ClassVar[str] = "any recent live signal of a followed strategy on a pair outside the whitelist"
    needs: ClassVar[Needs] = BUS_AND_BOT

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._figures = sources.figures
        self._consumer_id = sources.consumer_id
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each strategy with such signals.

        Raises
        ------
        BotUnavailable
            If the bot does not answer.
        """
        if self._figures is None:
            return []
        whitelist = (await self._figures.at(now)).whitelist
        followed = {
            row.strategy_id
            for row in await self._view.executions(now - self._limits.orders)
            if self._consumer_id in (None, row.consumer_id)
        }
        outside: dict[str, set[str]] = {}
        for published in await self._view.live_signals(now - self._limits.recent):
            signal = published.signal
            if signal.strategy_id in followed and signal.pair not in whitelist:
                outside.setdefault(signal.strategy_id, set()).add(signal.pair)
        return [self._finding(strategy_id, sorted(pairs)) for strategy_id, pairs in sorted(outside.items())]

    def _finding(self, strategy_id: str, pairs: list[str]) -> Finding:
        shown = ", ".join(pairs[:_SHOWN]) + (" …" if len(pairs) > _SHOWN else "")
        return Finding(
            kind=self.name,
            severity=Severity.WARNING,
            subject=strategy_id,
            strategy_id=strategy_id,
            pair=pairs[0] if len(pairs) == 1 else "",
            message=f"expected every pair of {strategy_id} in the bot's whitelist, but it lacks {len(pairs)} with "
            f"recent signals: {shown}; the bot does not enter them",
            action="add them to exchange.pair_whitelist, look which pairlist filter dropped them, or declare fewer "
            "pairs",
        )
