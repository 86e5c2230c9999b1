"""Whether the bot holds what signals and ledger say it should."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts import Execution, PublishedSignal
from quantbus_contracts.errors import ConfigError
from quantbus_services.monitor.checks.base import BUS_AND_BOT, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity
from quantbus_services.monitor.freqtrade_api import Bot
from quantbus_services.monitor.positions import Mismatch, OpenTrade, compare, unexplained_entries

__all__ = ["PositionMismatch"]


class PositionMismatch:
    """Finds each open trade and each filled entry that signals, ledger and bot do not agree on.

    A bot that does not answer is unknown, never flat.
    """

    name: ClassVar[str] = "position_mismatch"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = "any disagreement older than the settle limit"
    needs: ClassVar[Needs] = BUS_AND_BOT

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._bot = sources.bot
        self._consumer_id = sources.consumer_id
        self._limits = sources.limits
        self._closed: set[int] = set()

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each mismatch.

        Raises
        ------
        BotUnavailable
            If the bot does not answer.
        ConfigError
            If several consumers write into the ledger and none is named as this bot.
        """
        return [
            Finding(
                kind=mismatch.kind,
                severity=Severity.CRITICAL,
                subject=mismatch.pair
                if mismatch.trade_id is None
                else f"{mismatch.pair} #{mismatch.trade_id}",
                pair=mismatch.pair,
                message=mismatch.message,
                action="compare the bot's /api/v1/status with the ledger (`executions`) before trading on",
            )
            for mismatch in await self._mismatches(now)
        ]

    async def _mismatches(self, now: datetime) -> list[Mismatch]:
        bot = self._bot
        if bot is None:
            return []
        trades = await bot.open_trades()  # before the ledger, which may then only be newer
        settled_before = now - self._limits.settle
        rows = self._own(await self._view.filled(now - self._limits.ledger))
        by_signal = await self._rows_of(trades, rows)
        found = compare(trades, by_signal, await self._newest(), settled_before=settled_before)
        vanished = unexplained_entries(rows, trades, settled_before=settled_before)
        return found + await self._vanished(bot, vanished)

    def _own(self, rows: Sequence[Execution]) -> list[Execution]:
        consumers = sorted({row.consumer_id for row in rows})
        if self._consumer_id is None and len(consumers) > 1:
            raise ConfigError(
                f"expected one consumer in the ledger, found {', '.join(consumers)}; "
                "say in QUANTBUS_MONITOR_FREQTRADE_CONSUMER which of them the bot is"
            )
        return [row for row in rows if self._consumer_id in (None, row.consumer_id)]

    async def _rows_of(self, trades: Sequence[OpenTrade], rows: Sequence[Execution]) -> dict[str, Execution]:
        found = {row.signal_id: row for row in rows}
        for trade in trades:
            if trade.signal_id and trade.signal_id not in found:
                earlier = await self._view.executions_of(trade.signal_id)
                found.update((row.signal_id, row) for row in self._own(earlier))
        return found

    async def _newest(self) -> dict[tuple[str, str, str], PublishedSignal]:
        return {
            (strategy.strategy_id, strategy.timeframe, signal.signal.pair): signal
            for strategy in await self._view.strategies()
            for signal in await self._view.newest_signals(strategy)
        }

    async def _vanished(self, bot: Bot, entries: Sequence[Execution]) -> list[Mismatch]:
        found = []
        for entry in entries:
            trade_id = entry.trade_id
            if trade_id is None or trade_id in self._closed:
                continue
            if await bot.knows_closed(trade_id):
                self._closed.add(trade_id)
                continue
            found.append(
                Mismatch(
                    "filled_without_trade",
                    entry.pair,
                    trade_id,
                    f"the ledger says that trade {trade_id} was filled for signal {entry.signal_id}, "
                    "but the bot knows no such trade, open or closed",
                )
            )
        return found
