"""From a score to an entry, an exit or nothing; pure. The recipe's policy decides, the model only scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self

import numpy as np

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.publish.positions import Position
from quantbus_research.settings import PolicySettings

__all__ = ["Thresholds", "Verdict", "View", "decide", "is_overdue", "thresholds_of"]


@dataclass(frozen=True, slots=True)
class View:
    """What is known about one pair when its bar has closed."""

    pair: str
    score: float | None
    """-1..1; None where the bar or its look-back is missing."""
    recent_scores: tuple[float, ...] = ()
    """Scores of the newest bars, this one included, oldest first."""
    close: float | None = None
    degraded: str | None = None
    """Why the score is worth less than usual, or missing."""
    open_gap: bool = True
    """Whether some of the missing bars may exist; the venue is known to have none of them otherwise."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores at or above ``enter`` enter, scores below ``exit`` leave."""

    enter: float
    exit: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to say about a pair, an action or a weight, and why; or nothing."""

    view: View
    action: Literal["enter_long", "exit_long"] | None
    why: str
    weight: float | None = None
    """The share of the strategy's capital to hold from now on, below zero sold short; instead of an action."""
    by_time: bool = False
    """It is due whatever any score says."""
    held_back: bool = False
    """There was something to say, and the recipe does not want it to be said now."""

    @property
    def speaks(self) -> bool:
        """Whether there is something to say."""
        return self.action is not None or self.weight is not None

    @property
    def leaves(self) -> bool:
        """Whether it does nothing but end a position."""
        return self.action == "exit_long" or self.weight == 0.0

    @property
    def said(self) -> str:
        """What is said, in a word."""
        return self.action or ("nothing" if self.weight is None else f"weight {self.weight:+.4f}")

    def silenced(self, why: str) -> Self:
        """Return it as one that says nothing, and what it would have said."""
        return replace(self, action=None, weight=None, why=f"{why} ({self.said}: {self.why})", held_back=True)


def thresholds_of(policy: PolicySettings, recent_scores: Sequence[float]) -> Thresholds:
    """Return the scores that the policy's thresholds mean now."""
    if policy.thresholds == "absolute":
        return Thresholds(policy.enter, policy.exit)
    enter, leave = np.quantile(np.asarray(recent_scores, dtype=np.float64), [policy.enter, policy.exit])
    return Thresholds(float(enter), float(leave))


def is_overdue(position: Position, policy: PolicySettings, *, timeframe: Timeframe, bar: datetime) -> bool:
    """Tell whether an exit is due by time, whatever any score says."""
    held = position.bars_long(timeframe, bar)
    return held is not None and policy.hold_bars is not None and held >= policy.hold_bars


def decide(
    view: View, position: Position, policy: PolicySettings, *, timeframe: Timeframe, bar: datetime
) -> Verdict:
    """Judge one pair at one bar. An exit that is due by time needs no score and is never held back."""
    held = position.bars_long(timeframe, bar)
    if held is not None and is_overdue(position, policy, timeframe=timeframe, bar=bar):
        return Verdict(view, "exit_long", f"held for {_bars(held)}", by_time=True)
    if view.score is None:
        return Verdict(view, None, view.degraded or "no score")
    if view.degraded and (policy.on_gap == "skip" or (policy.on_gap == "skip_open" and view.open_gap)):
        return Verdict(view, None, f"skipped: {view.degraded}")
    bounds = thresholds_of(policy, view.recent_scores)
    if held is not None:
        if view.score < bounds.exit:
            return Verdict(view, "exit_long", f"score {view.score:+.4f} below {bounds.exit:+.4f}")
        return Verdict(view, None, f"long for {_bars(held)}, score {view.score:+.4f}")
    if view.score >= bounds.enter:
        return Verdict(view, "enter_long", f"score {view.score:+.4f} not below {bounds.enter:+.4f}")
    return _enter_anyway(view, position, policy, timeframe=timeframe, bar=bar)


def _enter_anyway(
    view: View, position: Position, policy: PolicySettings, *, timeframe: Timeframe, bar: datetime
) -> Verdict:
    flat = position.bars_flat(timeframe, bar)
    if policy.max_flat_bars is not None and (flat is None or flat >= policy.max_flat_bars):
        since = "without a position so far" if flat is None else f"flat for {_bars(flat)}"
        return Verdict(view, "enter_long", f"{since}: the policy enters against the score {view.score:+.4f}")
    return Verdict(view, None, f"flat, score {view.score:+.4f}")


def _bars(count: int) -> str:
    return f"{count} bar" if count == 1 else f"{count} bars"
