"""Where two runs differ, and what each difference is called. One that has no name is a defect."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from quantbus_contracts.policy import entry_interval
from quantbus_contracts.schema import Execution, ExecutionState, PublishedSignal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.backtest.archive import Archive
from quantbus_executor.backtest.moments import SteppedClock
from quantbus_executor.replay.outcome import Outcome, ReplayedTrade
from quantbus_executor.replay.plan import ReplayPlan

__all__ = ["Difference", "Kind", "compare", "unnamed"]

_ACTED = (ExecutionState.ACCEPTED, ExecutionState.ORDERED, ExecutionState.FILLED)
_WAITING = "waiting"
_LIMITS = ("stake_below_minimum", "stake_invalid")
_STAKES_ALIKE = 0.1
"""Stakes of one decision may differ by this share: the venue's steps of amount, and wallets that prices made unlike."""


class Kind(StrEnum):
    """What a difference is called."""

    INTRA_BAR = "intra_bar"
    """A live loop saw and acted inside a bar; a backtest sees the bus at opens only."""
    AUTO_LOCK = "auto_lock"
    """In one of the runs the side was locked until the end of the bar in which a trade of it had ended."""
    TWO_LOOPS = "two_loops"
    """A reversal leaves in one loop and enters in a later one; a backtest has one loop a bar."""
    NO_SLOT = "no_slot"
    """In one of the runs every slot was taken."""
    OWN_EXIT = "own_exit"
    """Freqtrade ended the trade itself in one of the runs: its stop, within a bar."""
    END_OF_RANGE = "end_of_range"
    """One of the runs ended before it could act as the other did."""
    LATE_LOOP = "late_loop"
    """The real bot's loop came after the end of the bar in which the signal stood."""
    FREQTRADE_REFUSAL = "freqtrade_refusal"
    """The real bot names what Freqtrade refused for reasons of its own; the others have none such."""
    VENUE_LIMIT = "venue_limit"
    """The venue's least stake stood in the way in one of the runs; the simulated loop knows no venue."""
    CONSEQUENCE = "consequence"
    """The pair's positions were unlike at that moment, because of an earlier difference that has a name."""
    RESIZED = "resized"
    """A rule resizes positions by weight, which the simulated loop does not do: other stakes, other profits."""
    PRICE = "price"
    """Equal decisions at other prices: the open of a bar, a price inside it, an order book."""
    UNNAMED = "unnamed"
    """Nothing explains it: a defect."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two runs did not do alike."""

    kind: Kind
    pair: str
    moment: datetime
    signal_id: str | None
    left: str
    right: str

    def as_dict(self) -> dict[str, str | None]:
        """Return plain values, as JSON takes them."""
        return {
            "kind": self.kind.value,
            "pair": self.pair,
            "moment": self.moment.isoformat(),
            "signal_id": self.signal_id,
            "left": self.left,
            "right": self.right,
        }


def compare(plan: ReplayPlan, left: Outcome, right: Outcome, *, loop: timedelta) -> list[Difference]:
    """Return every difference between two runs of a plan, oldest first; ``loop`` is the slower one's between loops."""
    comparison = _Comparison(plan, left, right, loop)
    signals = sorted(plan.every_signal, key=lambda item: (item.signal.ts, item.signal.pair))
    for published in signals:
        comparison.look_at(published)
    for pair in plan.pairs:
        comparison.look_at_equity(pair)
    return comparison.found


class _Comparison:
    """Goes through the signals in their order, and remembers in which pairs the runs have parted."""

    def __init__(self, plan: ReplayPlan, left: Outcome, right: Outcome, loop: timedelta) -> None:
        self._plan = plan
        self._left, self._right = left, right
        self._loop = loop
        self._bar = plan.timeframe
        self._archive = Archive(SteppedClock(plan.start), plan.settings.rules.clock_skew)
        for pair, signals in plan.signals.items():
            self._archive.keep(pair, signals)
        self.found: list[Difference] = []
        self._parted: dict[str, datetime] = {}

    def look_at(self, published: PublishedSignal) -> None:
        signal_id = published.signal_id
        told = [f"entered {outcome.count_of(signal_id)} times" for outcome in (self._left, self._right)]
        if max(outcome.count_of(signal_id) for outcome in (self._left, self._right)) > 1:
            self._note(
                Kind.UNNAMED, published.signal.pair, published.signal.closes_at, signal_id, told[0], told[1]
            )
        entries = (self._left.entry_of(signal_id), self._right.entry_of(signal_id))
        if entries[0] is not None and entries[1] is not None:
            self._both_entered(published, entries[0], entries[1])
        elif entries[0] is not None or entries[1] is not None:
            self._one_entered(published, *entries)
        else:
            self._none_entered(published)

    def look_at_equity(self, pair: str) -> None:
        for mine in self._left.trades:
            theirs = self._right.entry_of(mine.signal_id or "")
            if mine.pair != pair or theirs is None or mine.profit is None or theirs.profit is None:
                continue
            if abs(mine.stake - theirs.stake) > _STAKES_ALIKE * max(mine.stake, theirs.stake):
                kind = Kind.UNNAMED if self._plan.settings.rules.drift_band is None else Kind.RESIZED
                stakes = [f"stake {trade.stake:.8g}" for trade in (mine, theirs)]
                self._note(kind, pair, mine.opened_at, mine.signal_id, stakes[0], stakes[1])
            elif abs(mine.profit - theirs.profit) > 1e-9 * max(1.0, mine.stake):
                told = [f"{trade.open_rate:.8g} → {trade.close_rate or 0:.8g}" for trade in (mine, theirs)]
                self._note(Kind.PRICE, pair, mine.opened_at, mine.signal_id, told[0], told[1])

    def _both_entered(self, published: PublishedSignal, mine: ReplayedTrade, theirs: ReplayedTrade) -> None:
        rows = [outcome.rows.get(published.signal_id) for outcome in (self._left, self._right)]
        if (rows[0] is None) != (rows[1] is None):
            fates = [_fate(row) for row in rows]
            self._note(Kind.UNNAMED, mine.pair, mine.opened_at, published.signal_id, fates[0], fates[1])
        if mine.side != theirs.side:
            self._note(Kind.UNNAMED, mine.pair, mine.opened_at, published.signal_id, mine.side, theirs.side)
        if self._bar.floor(mine.opened_at) != self._bar.floor(theirs.opened_at):
            kind = self._why_not_at_once(mine, theirs)
            self._note(kind, mine.pair, mine.opened_at, published.signal_id, _told(mine), _told(theirs))
        self._compare_ends(mine, theirs)

    def _compare_ends(self, mine: ReplayedTrade, theirs: ReplayedTrade) -> None:
        ends = (mine.closed_at, theirs.closed_at)
        alike = (mine.exit_cause, mine.exit_signal_id) == (theirs.exit_cause, theirs.exit_signal_id)
        if alike and _bar_of(self._bar, ends[0]) == _bar_of(self._bar, ends[1]):
            return
        kind = self._why_other_end(mine, theirs, alike=alike)
        moment = min((end for end in ends if end is not None), default=self._plan.end)
        self._note(
            kind,
            mine.pair,
            moment,
            mine.exit_signal_id or theirs.exit_signal_id,
            _told_end(mine),
            _told_end(theirs),
        )

    def _why_other_end(self, mine: ReplayedTrade, theirs: ReplayedTrade, *, alike: bool) -> Kind:
        ends = [end for end in (mine.closed_at, theirs.closed_at) if end is not None]
        if len(ends) == 1:
            last = self._plan.end - 2 * self._bar.delta - self._loop
            return Kind.END_OF_RANGE if ends[0] >= last else self._unless_parted(mine.pair, ends[0])
        if mine.exit_signal_id is None or theirs.exit_signal_id is None:
            return Kind.OWN_EXIT
        if self._is_next_open(min(ends), max(ends)) and self._is_inside(min(ends)):
            return Kind.INTRA_BAR  # if not alike, a later revision or row took its place within the bar
        if alike and self._late(min(ends), max(ends)) is Kind.LATE_LOOP:
            return Kind.LATE_LOOP
        return self._unless_parted(mine.pair, min(ends))

    def _one_entered(
        self, published: PublishedSignal, mine: ReplayedTrade | None, theirs: ReplayedTrade | None
    ) -> None:
        done = mine or theirs
        if done is None:
            return
        other = self._right if mine is not None else self._left
        row = other.rows.get(published.signal_id)
        kind = self._why_only_one(published, done, other, row)
        told = (_told(mine) if mine else _told_row(row), _told(theirs) if theirs else _told_row(row))
        self._note(kind, done.pair, done.opened_at, published.signal_id, *told)

    def _why_only_one(
        self, published: PublishedSignal, done: ReplayedTrade, other: Outcome, row: Execution | None
    ) -> Kind:
        moment, pair = done.opened_at, done.pair
        if other.held(pair, moment + timedelta(microseconds=1)) is not None:
            return self._unless_parted(pair, moment)
        if (waited := self._why_it_waits(other, done, moment, self._next_open(moment))) is not None:
            return waited
        slots = float(self._plan.config.get("max_open_trades", 1))
        if 0 <= slots <= other.open_at(moment):
            return Kind.NO_SLOT
        if row is not None and _fate(row).endswith(_LIMITS):
            return Kind.VENUE_LIMIT
        if self._next_open(moment) >= self._plan.end - self._bar.delta:
            return Kind.END_OF_RANGE
        if self._is_inside(moment) and not self._shown_to_enter(published, self._next_open(moment)):
            return Kind.INTRA_BAR
        return self._unless_parted(pair, moment)

    def _none_entered(self, published: PublishedSignal) -> None:
        mine, theirs = (_fate(outcome.rows.get(published.signal_id)) for outcome in (self._left, self._right))
        if mine == theirs:
            return
        if self._is_told_of_a_trade(published):
            return
        kind = self._why_other_fate(published, mine, theirs)
        self._note(kind, published.signal.pair, published.signal.closes_at, published.signal_id, mine, theirs)

    def _why_other_fate(self, published: PublishedSignal, mine: str, theirs: str) -> Kind:
        pair, begin = published.signal.pair, max(published.signal.closes_at, published.first_available_at)
        if "unseen" in (mine, theirs) and self._next_open(begin) >= self._plan.end - self._bar.delta:
            return Kind.END_OF_RANGE
        if (follows := self._unless_parted(pair, begin)) is Kind.CONSEQUENCE:
            return follows
        if any(fate.endswith(_LIMITS) for fate in (mine, theirs)):
            return Kind.VENUE_LIMIT
        acted = [fate.startswith("acted") for fate in (mine, theirs)]
        words = {word for fate in (mine, theirs) for word in fate.split()}
        says_the_same = (
            published.history or not words & _OF_CONTENT
        )  # when one looks changes nothing about it
        if self._moves_inside(published) and not any(acted) and says_the_same:
            return Kind.INTRA_BAR
        over = entry_interval(published, self._plan.settings.rules).end
        if _WAITING in (mine, theirs) and over >= self._plan.end - 2 * self._bar.delta:
            return Kind.END_OF_RANGE
        if words & _FREQTRADES_OWN:
            return Kind.FREQTRADE_REFUSAL
        return self._unless_parted(pair, begin)

    def _is_told_of_a_trade(self, published: PublishedSignal) -> bool:
        """Tell whether the signal ended a trade that both runs made: how that ended was compared already."""
        for one, other in ((self._left, self._right), (self._right, self._left)):
            ended = (trade for trade in one.trades if trade.exit_signal_id == published.signal_id)
            if any(trade.signal_id and other.entry_of(trade.signal_id) for trade in ended):
                return True
        return False

    def _why_not_at_once(self, mine: ReplayedTrade, theirs: ReplayedTrade) -> Kind:
        early, late = sorted((mine.opened_at, theirs.opened_at))
        waited, trade = (self._left, mine) if mine.opened_at == late else (self._right, theirs)
        if self._is_inside(early) and self._is_next_open(early, late):
            return Kind.INTRA_BAR
        kind = self._why_it_waits(waited, trade, early, late)
        if kind is not None:
            return kind
        slots = float(self._plan.config.get("max_open_trades", 1))
        if 0 <= slots <= waited.open_at(early):
            return Kind.NO_SLOT
        if self._late(early, late) is Kind.LATE_LOOP:
            return Kind.LATE_LOOP
        return self._unless_parted(trade.pair, early)

    def _why_it_waits(
        self, waited: Outcome, trade: ReplayedTrade, early: datetime, late: datetime
    ) -> Kind | None:
        """Return what a trade that ended shortly before does to an entry after it; None if there is none such."""
        ended = waited.ended(trade.pair, self._bar.floor(early), late)
        if any(former.side == trade.side for former in ended):
            return Kind.AUTO_LOCK
        return Kind.TWO_LOOPS if ended else None

    def _late(self, early: datetime, late: datetime) -> Kind:
        return Kind.LATE_LOOP if timedelta(0) < late - early <= self._loop else Kind.UNNAMED

    def _unless_parted(self, pair: str, moment: datetime) -> Kind:
        """Return that it follows from a difference before it, if the pair's positions were unlike since."""
        parted = self._parted.get(pair)
        if parted is not None and parted <= moment and self._unlike(pair, parted, moment):
            return Kind.CONSEQUENCE
        return Kind.UNNAMED

    def _unlike(self, pair: str, since: datetime, moment: datetime) -> bool:
        """Tell whether the runs were not both flat, or both in the same trade, from ``since`` until ``moment``."""
        for open_time in self._bar.range(self._bar.floor(since) + self._bar.delta, moment):
            held = (self._left.held(pair, open_time), self._right.held(pair, open_time))
            same = (held[0].signal_id if held[0] else None) == (held[1].signal_id if held[1] else None)
            if same and open_time > since + self._bar.delta:
                return False
        return True

    def _shown_to_enter(self, published: PublishedSignal, moment: datetime) -> bool:
        shown = self._archive.shown(published.signal.pair, moment)
        if shown is None or shown.signal_id != published.signal_id:
            return False
        return moment in entry_interval(shown, self._plan.settings.rules)

    def _moves_inside(self, published: PublishedSignal) -> bool:
        """Tell whether the signal, a revision of it or what took its place came inside a bar."""
        pair = published.signal.pair
        moments = [revision.available_at for revision in published.history] + [published.available_at]
        later = [item for item in self._plan.signals[pair] if item.signal.ts > published.signal.ts]
        moments += [max(item.first_available_at, item.signal.closes_at) for item in later[:1]]
        return any(self._is_inside(max(moment, published.signal.closes_at)) for moment in moments)

    def _is_inside(self, moment: datetime) -> bool:
        return not self._bar.is_open_time(moment)

    def _next_open(self, moment: datetime) -> datetime:
        floor = self._bar.floor(moment)
        return floor if floor == moment else floor + self._bar.delta

    def _is_next_open(self, early: datetime, late: datetime) -> bool:
        return self._bar.floor(early) < late <= self._next_open(early)

    def _note(
        self, kind: Kind, pair: str, moment: datetime, signal_id: str | None, left: str, right: str
    ) -> None:
        if kind not in (Kind.UNNAMED, Kind.PRICE):
            self._parted.setdefault(pair, moment)
            self._parted[pair] = max(self._parted[pair], moment)
        self.found.append(Difference(kind, pair, moment, signal_id, left, right))


_FREQTRADES_OWN = frozenset(
    {
        *("no_slot", "no_balance", "locked", "no_candles", "paused", "depth_of_market", "order_rejected"),
        *("out_of_whitelist", "open_order", "order_not_placed", "order_cancelled", "protections"),
    }
)

_OF_CONTENT = frozenset(
    {
        *("below_threshold", "below_fuse", "no_confidence", "spot_short", "future_stamped"),
        *("origin_backfill", "origin_replay", "stake_invalid"),
    }
)
"""Refusals for what a revision says, at whatever moment it is looked at."""


def _fate(row: Execution | None) -> str:
    if row is None:
        return "unseen"
    if row.state is ExecutionState.SEEN:
        return _WAITING
    acted = row.state in _ACTED
    return f"{'acted' if acted else row.state.value} {row.reason or ''}".strip()


def _told(trade: ReplayedTrade) -> str:
    return f"entered {trade.opened_at:%H:%M:%S}"


def _told_end(trade: ReplayedTrade) -> str:
    return f"{trade.exit_cause} {trade.closed_at:%H:%M:%S}" if trade.closed_at is not None else "held"


def _told_row(row: Execution | None) -> str:
    return f"not entered: {_fate(row)}"


def _bar_of(timeframe: Timeframe, moment: datetime | None) -> datetime | None:
    return timeframe.floor(moment) if moment is not None else None


def unnamed(differences: Iterable[Difference]) -> list[Difference]:
    """Return the differences that nothing explains."""
    return [difference for difference in differences if difference.kind is Kind.UNNAMED]
