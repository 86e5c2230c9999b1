"""Takes what the bot says of itself, and how its trades compare, to the metrics."""

from datetime import datetime

from quantbus_services.monitor.board import Outcome
from quantbus_services.monitor.due import NEVER
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from quantbus_services.monitor.freqtrade_figures import BotFigures, FigureSource
from quantbus_services.monitor.metrics import BotMetrics
from quantbus_services.monitor.reconciliation.kinds import MISMATCH_KINDS

__all__ = ["BotReadings"]


class BotReadings:
    """Figures of one bot; while it does not answer there are none, rather than old ones."""

    def __init__(self, figures: FigureSource, metrics: BotMetrics, consumer_id: str | None) -> None:
        """Read ``figures`` into ``metrics``, as those of ``consumer_id``."""
        self._figures = figures
        self._metrics = metrics
        self._consumer_id = consumer_id or "freqtrade"

    async def take(self, now: datetime) -> bool:
        """Take every figure; return whether the bot answered."""
        try:
            figures = await self._figures.at(now)
        except BotUnavailable:
            self._metrics.up.set(0)
            for gauge in self._metrics.figures():
                gauge.clear()
            return False
        self._metrics.up.set(1)
        self._put(figures)
        return True

    def put_reconciliation(self, outcome: Outcome) -> None:
        """Take the comparison of positions to the metrics."""
        if outcome.error is not None:
            self.forget()
            return
        self._metrics.reconciled.set(outcome.at.timestamp())
        for kind in MISMATCH_KINDS:
            count = sum(finding.kind == kind and not finding.acknowledged for finding in outcome.findings)
            self._metrics.mismatches.labels(kind).set(count)

    def forget(self) -> None:
        """Export no comparison: unknown is not flat."""
        self._metrics.mismatches.clear()

    def _put(self, figures: BotFigures) -> None:
        metrics, bot = self._metrics, self._consumer_id
        metrics.last_process.labels(bot).set((figures.last_process or NEVER).timestamp())
        metrics.started.labels(bot).set((figures.started_at or NEVER).timestamp())
        metrics.whitelist.labels(bot).set(len(figures.whitelist))
        metrics.open_trades.labels(bot).set(figures.open_trades)
        metrics.closed_trades.labels(bot).set(figures.closed_trades)
        metrics.equity.labels(bot, figures.stake_currency).set(figures.equity)
        metrics.profit.labels(bot).set(figures.profit_ratio)
        metrics.drawdown.labels(bot).set(figures.drawdown_ratio)
        metrics.day_profit.labels(bot).set(figures.day_profit_ratio)
