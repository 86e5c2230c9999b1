"""What became of a signal that nobody decided about while it was the newest of its pair."""

from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.policy.interval import entry_interval, is_future_stamped
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.wish import wish_of
from quantbus_contracts.schema import ExecutionState, PublishedSignal

__all__ = ["Fate", "fate_of_overlooked"]


@dataclass(frozen=True, slots=True)
class Fate:
    """The state in which the signal ends, or waits, and why."""

    state: ExecutionState
    reason: Reason


def fate_of_overlooked(
    published: PublishedSignal,
    now: datetime,
    rules: TradingRules,
    *,
    is_followed: bool,
    is_hidden: bool,
    looking_since: datetime | None,
) -> Fate | None:
    """Return what became of it; None while it may still become the one that is decided about.

    ``is_followed`` says whether its pair is in the whitelist or held, ``is_hidden`` whether the pair has a newer
    signal, ``looking_since`` since when signals are looked at without a gap.
    """
    if is_future_stamped(published, rules):
        return Fate(ExecutionState.REFUSED, Reason.FUTURE_STAMPED)
    interval = entry_interval(published, rules)
    enters = wish_of(published.signal, rules).take is not None
    if not is_followed:
        return _of_another_pair(over=now >= interval.end, enters=enters)
    if is_hidden and enters and looking_since is not None and interval.end <= looking_since:
        return Fate(ExecutionState.EXPIRED_UNSEEN, interval.ended_by)
    if interval.end <= interval.start and enters:
        return Fate(ExecutionState.REFUSED, interval.ended_by)
    if is_hidden:
        return Fate(ExecutionState.SUPERSEDED, Reason.SUPERSEDED)
    return Fate(ExecutionState.REFUSED, interval.ended_by) if enters and now >= interval.end else None


def _of_another_pair(*, over: bool, enters: bool) -> Fate:
    """A pairlist that changes may bring the pair back, so an entry waits while its time lasts."""
    if not enters:
        return Fate(ExecutionState.REFUSED, Reason.NOTHING_TO_EXIT)
    return Fate(ExecutionState.REFUSED if over else ExecutionState.SEEN, Reason.OUT_OF_WHITELIST)
