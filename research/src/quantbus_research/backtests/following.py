"""Follows signals over past bars by the rules of the bot: the same code decides, at every open, what the bot would.

A bar's open is the one moment of it that is looked at, before the order that is made there: so the opposite of a
position is entered a bar after a reversal has ended it, as live, where the pair is locked until then. What a backtest
cannot know is left out, as in the bot's own: controls, risk rows and downtimes. Stops, slots and balances are the
venue's and Freqtrade's business and are left out as well: every pair can always be entered.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from quantbus_contracts.policy import (
    CatchUp,
    Circumstances,
    Decision,
    DecisionKind,
    PastTrade,
    Position,
    PositionSide,
    Reason,
    TradingRules,
    confidence_of,
    decide,
    entry_stake,
)
from quantbus_contracts.schema import PublishedSignal
from quantbus_research.backtests.recall import SeenSignals

__all__ = ["Followed", "follow", "targets_of"]


@dataclass(frozen=True, slots=True)
class Followed:
    """A position that the signals led to. Moments are opens of bars; ``closed_at`` is None while it lasts."""

    pair: str
    side: PositionSide
    signal_id: str
    opened_at: datetime
    share: float
    """Of the capital, 0..1."""
    closed_at: datetime | None = None
    left_because: Reason | None = None


def follow(
    signals: Iterable[PublishedSignal],
    opens: Mapping[str, Sequence[datetime]],
    rules: TradingRules,
    *,
    stake: float = 1.0,
) -> list[Followed]:
    """Return the positions that a bot would have taken, by time and pair.

    Parameters
    ----------
    signals
        Of one strategy, with their histories; any pairs, any order.
    opens
        For each pair the opens of the bars the bot trades on, ascending (UTC); they may be shorter than the
        signals' own.
    stake
        Share of the capital that a signal without a weight stakes.
    """
    past = replace(rules, catch_up=CatchUp.IF_VALID)
    by_pair: dict[str, list[PublishedSignal]] = {pair: [] for pair in opens}
    for published in signals:
        if published.signal.pair in by_pair:
            by_pair[published.signal.pair].append(published)
    found = [
        position
        for pair, own in by_pair.items()
        for position in _Follower(pair, SeenSignals(own, rules.clock_skew), past, stake).walk(opens[pair])
    ]
    return sorted(found, key=lambda position: (position.opened_at, position.pair))


def targets_of(
    followed: Iterable[Followed], symbols: Mapping[str, str], times: pd.DatetimeIndex
) -> pd.DataFrame:
    """Return the positions as targets for `simulate`: at each bar's close, what is held from the next open on.

    ``symbols`` gives the panel's symbol of each pair, ``times`` the opens of all its bars. What was entered at the
    very first open cannot be said that way and is left out.
    """
    table = np.zeros((len(times), len(symbols)))
    columns = {pair: number for number, pair in enumerate(symbols)}
    places = {moment.to_pydatetime(): number for number, moment in enumerate(times)}
    for position in followed:
        first = places[position.opened_at] - 1
        last = len(times) if position.closed_at is None else places[position.closed_at] - 1
        if first >= 0:
            share = position.share if position.side == "long" else -position.share
            table[first:last, columns[position.pair]] = share
    return pd.DataFrame(table, index=times, columns=list(symbols.values()))


class _Follower:
    """One pair, bar by bar."""

    def __init__(self, pair: str, seen: SeenSignals, rules: TradingRules, stake: float) -> None:
        self._pair, self._seen, self._rules = pair, seen, rules
        self._stake = stake
        self._held: tuple[Position, Followed] | None = None
        self._past: list[PastTrade] = []
        self._used: set[str] = set()

    def walk(self, opens: Sequence[datetime]) -> Iterator[Followed]:
        row = 0
        while row < len(opens):
            now = opens[row]
            is_last = row == len(opens) - 1  # Freqtrade opens nothing on the last candle
            decision, published = self._decide(now)
            if decision.kind is DecisionKind.EXIT and self._held is not None:
                yield self._left(*self._held, now, decision)
                row += 1
                continue
            if not is_last:
                self._enter(decision, published, now)
            row = self._next_row(opens, row, decision)
        if self._held is not None:
            yield self._held[1]

    def _next_row(self, opens: Sequence[datetime], row: int, decision: Decision) -> int:
        """Return the next bar at which anything can be decided otherwise than at this one."""
        waits = decision.kind is DecisionKind.HOLD and not decision.final and decision.reason is not None
        if waits:
            return row + 1
        change = self._seen.next_change(opens[row])
        return len(opens) if change is None else max(row + 1, bisect_left(opens, change))

    def _decide(self, now: datetime) -> tuple[Decision, PublishedSignal | None]:
        published = self._seen.shown(now)
        looks_back = self._rules.debounce.looks_back
        past = () if looks_back is None else tuple(t for t in self._past if t.closed_at > now - looks_back)
        position = self._held[0] if self._held is not None else None
        return decide(published, position, now, self._rules, Circumstances(past=past)), published

    def _enter(self, decision: Decision, published: PublishedSignal | None, now: datetime) -> None:
        wanted = decision.kind is DecisionKind.ENTER and self._held is None and decision.side is not None
        if not wanted or published is None or published.signal_id in self._used or decision.side is None:
            return
        factor = self._rules.confidence.factor(confidence_of(published.signal, decision.side))
        share = entry_stake(published.signal, self._stake, 1.0, maximum=1.0, scale=factor)
        if share <= 0.0:
            return
        self._used.add(published.signal_id)
        position = Position(decision.side, now, published.signal_id, published.signal.ts)
        self._held = position, Followed(self._pair, decision.side, published.signal_id, now, share)

    def _left(self, position: Position, followed: Followed, now: datetime, decision: Decision) -> Followed:
        self._held = None
        self._past.append(PastTrade(position.opened_at, now))
        return replace(followed, closed_at=now, left_because=decision.reason)
