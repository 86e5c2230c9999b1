"""Whether signals, bot and account agree: the check."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from quantbus_contracts.schema import RecordedFinding
from quantbus_services.monitor.checks.base import BUS_AND_BOT, Needs, Sources
from quantbus_services.monitor.findings import Finding, Severity
from quantbus_services.monitor.reconciliation.activity import Memory
from quantbus_services.monitor.reconciliation.gathering import Gatherer
from quantbus_services.monitor.reconciliation.kinds import KINDS, Mismatch
from quantbus_services.monitor.reconciliation.meaning import unexplained_entries
from quantbus_services.monitor.reconciliation.reconcile import Reconciled, reconcile
from quantbus_services.monitor.reconciliation.sides import Sides

__all__ = ["NOBODY_READS", "PositionMismatch"]

NOBODY_READS = "nobody reads the bot's account"
"""In the note of a live bot whose account is not compared: signals and bot agreeing is half the answer."""

_NAME = "position_mismatch"
_NO_PAIR = "-"
_MOST_EVIDENCE = 256


class PositionMismatch:
    """Finds each position, order and fill that signals, ledger, bot and account do not agree on.

    A bot that does not answer is unknown, never flat; so is an account. What was found and cannot be judged now
    stands until it can.
    """

    name: ClassVar[str] = _NAME
    every: ClassVar[timedelta] = timedelta(seconds=10)
    threshold: ClassVar[str] = "any disagreement older than the settle limit"
    needs: ClassVar[Needs] = BUS_AND_BOT

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        self._sources = sources
        self._closed: set[int] = set()
        self._gatherer: Gatherer | None = None
        self.note = ""
        """Which sides were compared."""
        self.owner = ""
        """Whose they are."""
        if sources.bot is not None:
            self._gatherer = Gatherer(
                sources.bot,
                sources.view,
                sources.view,
                Memory(),
                sources.consumer_id,
                sources.account_name,
                sources.limits.ledger,
            )

    async def check(self, now: datetime) -> list[Finding]:
        """Return a finding for each mismatch.

        Raises
        ------
        BotUnavailable
            If the bot does not answer.
        ConfigError
            If several consumers write into the ledger and none is named as this bot.
        """
        self.note = ""
        if self._gatherer is None:
            return []
        sides = await self._gatherer.sides(now)
        self.owner = sides.consumer_id
        patience = self._sources.patience
        found = reconcile(sides, now, patience)
        vanished = await self._vanished(sides, now - patience.settle)
        standing = await self._sources.view.open_findings()
        self.note = _sides(found, sides)
        seen = [
            self._finding(sides.consumer_id, one, standing, now) for one in (*found.mismatches, *vanished)
        ]
        beyond = await self._beyond_the_ledger(sides, standing)
        return seen + self._undecided(sides.consumer_id, seen, found, standing, beyond, now)

    def _finding(
        self, consumer_id: str, one: Mismatch, standing: Sequence[RecordedFinding], now: datetime
    ) -> Finding:
        kind = KINDS[one.kind]
        subject = f"{consumer_id} {one.pair or _NO_PAIR} {one.about}".strip()[:_MOST_EVIDENCE]
        row = next((row for row in standing if row.key == (_NAME, one.kind, subject)), None)
        evidence = one.evidence[:_MOST_EVIDENCE]
        return Finding(
            kind=one.kind,
            severity=kind.severity,
            subject=subject,
            message=one.message,
            action=kind.action,
            strategy_id=one.strategy_id,
            pair=one.pair,
            evidence=evidence,
            blocks=self._scope(consumer_id, one.pair) if kind.blocks else "",
            acknowledged=row is not None and row.evidence == evidence and row.is_acknowledged(now),
        )

    def _scope(self, consumer_id: str, pair: str) -> str:
        return f"pair:{pair}" if self._sources.block_scope == "pair" and pair else f"consumer:{consumer_id}"

    def _undecided(
        self,
        consumer_id: str,
        seen: Sequence[Finding],
        found: Reconciled,
        standing: Iterable[RecordedFinding],
        beyond: frozenset[str],
        now: datetime,
    ) -> list[Finding]:
        """Return what was found before and cannot be judged now: unknown is not explained."""
        names = {(one.kind, one.subject) for one in seen}
        kept = []
        for row in standing:
            if row.check != _NAME or (row.kind, row.subject) in names:
                continue
            owner, _, rest = row.subject.partition(" ")
            pair = rest.partition(" ")[0]
            judged = found.judged(row.kind, "" if pair == _NO_PAIR else pair)
            if owner != consumer_id or (judged and row.finding_id not in beyond):
                continue
            kept.append(
                Finding(
                    kind=row.kind,
                    severity=Severity(row.severity),
                    subject=row.subject,
                    message=row.message,
                    action=row.action,
                    pair="" if pair == _NO_PAIR else pair,
                    evidence=row.evidence,
                    blocks=row.blocks or "",
                    acknowledged=row.is_acknowledged(now),
                )
            )
        return kept

    async def _beyond_the_ledger(self, sides: Sides, standing: Sequence[RecordedFinding]) -> frozenset[str]:
        """Return the findings about entries so old that the ledger is not read back to them, and still no trade."""
        read = {f"#{row.trade_id}" for row in sides.meant.rows}
        there = {f"#{trade.trade_id}" for trade in sides.book.every}
        bot, left = self._sources.bot, set()
        for row in standing:
            owner, _, about = row.subject.rpartition(" ")
            if row.kind != "filled_without_trade" or owner.partition(" ")[0] != sides.consumer_id:
                continue
            number = about.removeprefix("#")
            if about in read | there or not number.isdigit() or int(number) in self._closed:
                continue
            if bot is not None and await bot.knows_closed(int(number)):
                self._closed.add(int(number))
                continue
            left.add(row.finding_id)
        return frozenset(left)

    async def _vanished(self, sides: Sides, settled_before: datetime) -> list[Mismatch]:
        bot = self._sources.bot
        found = []
        for entry in unexplained_entries(sides, settled_before):
            trade_id = entry.trade_id
            if bot is None or trade_id is None or trade_id in self._closed:
                continue
            if await bot.knows_closed(trade_id):
                self._closed.add(trade_id)
                continue
            found.append(
                Mismatch(
                    "filled_without_trade",
                    entry.pair,
                    f"#{trade_id}",
                    f"the ledger says that trade {trade_id} was filled for signal {entry.signal_id}, "
                    "but the bot knows no such trade, open or closed",
                    entry.signal_id,
                    entry.strategy_id,
                )
            )
        return found


def _sides(found: Reconciled, sides: Sides) -> str:
    """Say which sides were compared, and why there were only two."""
    name = sides.account_name
    told = {
        "dry_run": "two sides, signals and bot: it is a dry run, there is no account",
        "not_named": f"two sides, signals and bot: {NOBODY_READS} "
        "(QUANTBUS_MONITOR_FREQTRADE_ACCOUNT names it)",
        "unknown": f"two sides, signals and bot: account {name} is unknown",
        "partly": f"three sides, signals, bot and account {name}, of which a part is unknown",
        "known": f"three sides, signals, bot and account {name}",
    }[found.account]
    moving = f"; not judged yet: {', '.join(sorted(found.moving))}" if found.moving else ""
    return told + moving
