"""Collects the sides: the bot first, so that the ledger can only be newer than its trades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from quantbus_contracts import Execution, PublishedSignal, Strategy
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import AccountSnapshot
from quantbus_services.monitor.reconciliation.activity import Memory
from quantbus_services.monitor.reconciliation.records import Records
from quantbus_services.monitor.reconciliation.sides import BotBook, Meant, OpenTrade, Sides

__all__ = ["NOBODY", "Gatherer", "SignalView"]

NOBODY = "-"
"""What a bot is called that has no name in the ledger yet."""


class SignalView(Protocol):
    """What is asked about signals."""

    async def strategies(self) -> Sequence[Strategy]:
        """Return every declared strategy."""
        ...

    async def newest_signals(self, strategy: Strategy) -> Sequence[PublishedSignal]:
        """Return the newest signal of each pair of a strategy."""
        ...

    async def executions_of(self, signal_id: str) -> Sequence[Execution]:
        """Return what every consumer did with one signal."""
        ...


class _Bot(Protocol):
    async def book(self) -> BotBook: ...


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Collects the sides of one bot."""

    bot: _Bot
    view: SignalView
    records: Records
    memory: Memory
    consumer_id: str | None
    account_name: str | None
    ledger: timedelta
    """How far back the ledger is read."""

    async def sides(self, now: datetime) -> Sides:
        """Return the sides as they stand.

        Raises
        ------
        QuantbusError
            If the bot or the bus does not answer, or several bots write into the ledger and none is named.
        """
        book = await self.bot.book()
        rows = await self.records.taken_up(now - self.ledger)
        consumer_id = await self._consumer(rows)
        own = [row for row in rows if row.consumer_id == consumer_id]
        meant = await self._meant(book.trades, own, consumer_id)
        told = await self.records.told(consumer_id, now - self.ledger)
        name, account = await self._account(book, consumer_id)
        changed_at = self.memory.changes(book, account, now)
        return Sides(consumer_id, book, meant, told, name, account, changed_at)

    async def _consumer(self, rows: Sequence[Execution]) -> str:
        """Return the bot's name; one that has been quiet for longer than the ledger is read goes by its lease."""
        if self.consumer_id is not None:
            return self.consumer_id
        consumers = sorted({row.consumer_id for row in rows})
        if not consumers:
            consumers = sorted({lease.consumer_id for lease in await self.records.leases()})
        if len(consumers) > 1:
            raise ConfigError(
                f"expected one consumer in the ledger or with a lease, found {', '.join(consumers)}; "
                "say in QUANTBUS_MONITOR_FREQTRADE_CONSUMER which of them the bot is"
            )
        return consumers[0] if consumers else NOBODY

    async def _meant(self, trades: Sequence[OpenTrade], own: list[Execution], consumer_id: str) -> Meant:
        found = {row.signal_id: row for row in own}
        elsewhere: dict[str, list[str]] = {}
        for trade in trades:
            if trade.signal_id and trade.signal_id not in found:
                for row in await self.view.executions_of(trade.signal_id):
                    if row.consumer_id == consumer_id or consumer_id == NOBODY:
                        found[row.signal_id] = row
                    else:
                        elsewhere.setdefault(row.signal_id, []).append(row.consumer_id)
        carried = (found.get(trade.signal_id or "") for trade in trades)
        followed = {entry.strategy_id for entry in carried if entry is not None}
        return Meant(tuple(found.values()), elsewhere, await self._newest(followed))

    async def _newest(self, followed: set[str]) -> Mapping[tuple[str, str, str], PublishedSignal]:
        if not followed:
            return {}
        return {
            (strategy.strategy_id, strategy.timeframe, signal.signal.pair): signal
            for strategy in await self.view.strategies()
            if strategy.strategy_id in followed
            for signal in await self.view.newest_signals(strategy)
        }

    async def _account(self, book: BotBook, consumer_id: str) -> tuple[str | None, AccountSnapshot | None]:
        """Return the account that the bot trades: as named by a person, else by the bot's lease."""
        if book.dry_run:
            return None, None
        accounts = await self.records.accounts()
        name = self.account_name
        if name is None:
            leased = [one.account for one in await self.records.leases() if one.consumer_id == consumer_id]
            name = next((one for one in leased if one in accounts), None)
        return name, accounts.get(name) if name is not None else None
