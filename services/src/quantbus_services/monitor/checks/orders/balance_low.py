"""Whether bots have something to trade with."""

from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import Balance
from quantbus_services.monitor.checks.base import BUS, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity

__all__ = ["BalanceLow"]


class BalanceLow:
    """Finds each bot that has less free than the floor of a currency, or that left a signal for want of money."""

    name: ClassVar[str] = "balance_low"
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = (
        "free balance below the currency's floor, or a recent signal refused as no_balance"
    )
    needs: ClassVar[Needs] = BUS

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._view = sources.view
        self._limits = sources.limits

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each bot and currency, and for each bot that ran dry."""
        floors = self._limits.balance_floors
        retired = {
            beat.instance
            for beat in await self._view.heartbeats()
            if beat.process == "executor" and now - beat.at > self._limits.forget_process_after
        }
        found = [
            _below(balance, floors[balance.currency])
            for balance in await self._view.balances()
            if balance.currency in floors
            and balance.free < floors[balance.currency]
            and balance.consumer_id not in retired
        ]
        refused = {
            row.consumer_id
            for row in await self._view.executions(now - self._limits.orders)
            if row.reason == Reason.NO_BALANCE
        }
        return found + [_dry(bot) for bot in sorted(refused)]


def _below(balance: Balance, floor: float) -> Finding:
    return Finding(
        kind="balance_low",
        severity=Severity.CRITICAL,
        subject=f"{balance.consumer_id} {balance.currency}",
        message=f"expected {balance.consumer_id} to have {floor:g} {balance.currency} free, but it has "
        f"{balance.free:g} of {balance.total:g}",
        action="add funds, close positions, or lower the floor in QUANTBUS_MONITOR_BALANCE_FLOORS",
    )


def _dry(bot: str) -> Finding:
    return Finding(
        kind="balance_short",
        severity=Severity.WARNING,
        subject=bot,
        message=f"expected {bot} to have a stake for every signal, but it left some for want of free balance",
        action=Reason.NO_BALANCE.remedy,
    )
