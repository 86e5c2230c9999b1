"""What the monitor knows now, as it answers to people and scripts on ``/status``."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from quantbus_contracts import Execution
from quantbus_services.monitor.due import NEVER, publish_delay, run_due_at
from quantbus_services.monitor.findings import Finding
from quantbus_services.monitor.view import BusView

__all__ = [
    "CheckStatus",
    "ConsumerStatus",
    "FindingStatus",
    "Status",
    "StrategyStatus",
    "consumers_status",
    "strategies_status",
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FindingStatus(_Part):
    """One finding, and since when it stands."""

    check: str
    kind: str
    severity: str
    subject: str
    message: str
    action: str
    strategy_id: str = ""
    pair: str = ""
    since: datetime
    acknowledged: bool = False
    """Whether a person has taken it on: it stands, and is no longer a reason to be called."""

    @classmethod
    def of(cls, check: str, finding: Finding, since: datetime) -> "FindingStatus":
        """Return ``finding`` of ``check`` as part of the status."""
        return cls(
            check=check,
            kind=finding.kind,
            severity=finding.severity.value,
            subject=finding.subject,
            message=finding.message,
            action=finding.action,
            strategy_id=finding.strategy_id,
            pair=finding.pair,
            since=since,
            acknowledged=finding.acknowledged,
        )


class CheckStatus(_Part):
    """How one check went the last time."""

    name: str
    outcome: Literal["fine", "found", "unknown", "not_run"]
    """``unknown``: it could not be found out; ``not_run``: it was not its turn yet."""
    checked_at: datetime | None = None
    error: str | None = None
    """Why it is unknown."""
    note: str | None = None
    """What the check says of itself besides, such as which sides were compared."""


class StrategyStatus(_Part):
    """One declared strategy."""

    strategy_id: str
    timeframe: str
    pairs: int
    last_run: datetime | None
    """Bar that it was last evaluated for."""
    next_run_due_at: datetime
    silent: bool
    last_signal: datetime | None
    """Bar of its newest signal."""
    recent_signals: int
    worst_publish_delay_seconds: float | None
    """Among the recent signals."""


class ConsumerStatus(_Part):
    """One reader of signals: its recent rows of the ledger."""

    consumer_id: str
    last_seen_at: datetime
    states: dict[str, int]
    refused: dict[str, int]
    """By reason."""
    worst_consume_delay_seconds: float


class Status(_Part):
    """Everything at once.

    ``ok`` means: the bus answers, every check knows its answer, and what they found is acknowledged.
    """

    ok: bool
    ready: bool
    at: datetime
    bus_up: bool
    bus_error: str | None = None
    clock_offset_seconds: float | None = None
    freqtrade: Literal["up", "down", "unknown", "not_configured"]
    findings: tuple[FindingStatus, ...] = ()
    checks: tuple[CheckStatus, ...] = ()
    strategies: tuple[StrategyStatus, ...] = ()
    consumers: tuple[ConsumerStatus, ...] = ()


async def strategies_status(view: BusView, now: datetime, recent: timedelta) -> tuple[StrategyStatus, ...]:
    """Return the state of each declared strategy."""
    declared_at = await view.declared_at()
    last_runs, last_signals = await view.last_runs(), await view.last_signals()
    delays: dict[str, list[float]] = {}
    for published in await view.live_signals(now - recent):
        delays.setdefault(published.signal.strategy_id, []).append(publish_delay(published).total_seconds())
    found = []
    for strategy in await view.strategies():
        own = strategy.strategy_id
        run = last_runs.get(own)
        due = run_due_at(strategy, run.ts if run else None, declared_at=declared_at.get(own, NEVER))
        found.append(
            StrategyStatus(
                strategy_id=own,
                timeframe=strategy.timeframe,
                pairs=len(strategy.pairs),
                last_run=run.ts if run else None,
                next_run_due_at=due,
                silent=due < now,
                last_signal=last_signals.get(own),
                recent_signals=len(delays.get(own, ())),
                worst_publish_delay_seconds=max(delays.get(own, ()), default=None),
            )
        )
    return tuple(found)


def consumers_status(rows: Sequence[Execution]) -> tuple[ConsumerStatus, ...]:
    """Return the state of each consumer that has rows in the ledger."""
    found = []
    for consumer_id in sorted({row.consumer_id for row in rows}):
        own = [row for row in rows if row.consumer_id == consumer_id]
        found.append(
            ConsumerStatus(
                consumer_id=consumer_id,
                last_seen_at=max(row.seen_at for row in own),
                states=dict(sorted(Counter(row.state.value for row in own).items())),
                refused=dict(sorted(Counter(row.reason for row in own if row.reason).items())),
                worst_consume_delay_seconds=max(
                    (row.seen_at - row.available_at).total_seconds() for row in own
                ),
            )
        )
    return tuple(found)
