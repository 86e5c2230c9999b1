"""Keep a position from flapping: a minimum hold, a cool-down after it, a limit of flips per day; off unless set.

A minimum hold delays exits that signals ask for, and nothing else does: not the cool-down, not the limit. Stops,
a person, a flatten control and the withdrawal of the very signal that opened the position leave at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy.reasons import Reason

__all__ = ["FLIP_WINDOW", "Debounce", "PastTrade", "flips"]

FLIP_WINDOW = timedelta(days=1)
"""The day of a flip limit: the last 24 hours, so that midnight resets nothing."""


@dataclass(frozen=True, slots=True)
class PastTrade:
    """A position of the same pair that is over, whatever opened and ended it."""

    opened_at: datetime
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Debounce:
    """How fast a pair's position may change.

    Attributes
    ----------
    minimum_hold
        For how long after its opening a position is not left because of a signal.
    cool_down
        For how long after a position ended none is entered in its pair, on either side.
    flips_per_day
        How many positions may be entered within 24 hours in a pair that another position had left less than
        24 hours before; 0 means that a pair once left is not entered again for a day.
    """

    minimum_hold: timedelta | None = None
    cool_down: timedelta | None = None
    flips_per_day: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming each."""
        for name in ("minimum_hold", "cool_down"):
            span: timedelta | None = getattr(self, name)
            if span is not None and span <= timedelta(0):
                raise ConfigError(f"{name}: expected a time above zero, found {span!r}")
        if self.flips_per_day is not None and self.flips_per_day < 0:
            raise ConfigError(f"flips_per_day: expected 0 or more, found {self.flips_per_day!r}")

    @property
    def looks_back(self) -> timedelta | None:
        """How long ago a position may have ended and still matter; None where no past is asked for."""
        spans = [self.cool_down] if self.cool_down is not None else []
        if self.flips_per_day is not None:
            spans.append(
                2 * FLIP_WINDOW
            )  # a flip of a day ago was one because of an end up to a day before it
        return max(spans, default=None)

    def holds(self, opened_at: datetime, now: datetime) -> bool:
        """Tell whether a position is too young to be left because of a signal."""
        return self.minimum_hold is not None and now < opened_at + self.minimum_hold

    def entry_hold(self, past: Iterable[PastTrade], now: datetime) -> Reason | None:
        """Return what keeps a pair with this past from being entered at ``now``; None if nothing does."""
        known = list(past)
        if self.cool_down is not None and any(now < trade.closed_at + self.cool_down for trade in known):
            return Reason.COOL_DOWN
        if self.flips_per_day is not None and flips(known, now) > self.flips_per_day:
            return Reason.FLIP_LIMIT
        return None


def flips(past: Iterable[PastTrade], now: datetime) -> int:
    """Return how many flips the last 24 hours would have seen if the pair were entered at ``now``."""
    known = list(past)
    entries = [trade.opened_at for trade in known if now - FLIP_WINDOW < trade.opened_at <= now]
    return sum(_follows_another(entry, known) for entry in (*entries, now))


def _follows_another(entry: datetime, past: Iterable[PastTrade]) -> bool:
    return any(trade.closed_at <= entry < trade.closed_at + FLIP_WINDOW for trade in past)
