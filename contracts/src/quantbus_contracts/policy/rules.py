"""The choices a consumer makes about acting on signals."""

from dataclasses import dataclass, field
from datetime import timedelta
from math import isfinite

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy.catch_up import CatchUp
from quantbus_contracts.policy.confidence import Confidence
from quantbus_contracts.policy.debounce import Debounce

__all__ = ["TradingRules"]

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """How late, on which side and from which score on a consumer acts.

    Attributes
    ----------
    tolerance_bars
        For how many further bars an entry may be made after the bar that follows the signal's own.
    max_delay
        Greatest age of an entry counted from the close of its bar; None means three bars.
    max_age_from_available
        Greatest age of an entry counted from ``available_at``; None means no such bound.
    act_on_old_exits
        Whether an exit that is past the time for entries still ends a position.
    can_short
        Whether short positions can be held (not on spot).
    accept_replay
        Whether this is a replay database, where rows of origin ``replay`` trade.
    clock_skew
        How far before the close of its bar (database clock) a row may appear because two clocks differ.
    score_entry
        A score of at least this asks for a long position, of at most its negative for a short one.
    score_exit
        A long position is left at a score of at most this, a short one at a score of at least its negative. Between
        the two lies the band in which nothing is entered and nothing is left (hysteresis).
    catch_up
        What to do about signals that came during a downtime.
    debounce
        How fast a pair's position may change.
    confidence
        What the score does to an entry's stake, and from which on it is refused.
    drift_band
        By how much of the capital a position may differ from the weight it is wanted at before it is resized; None
        leaves positions as they were entered.
    max_leverage
        The most leverage that a signal's wish for it is granted.
    """

    tolerance_bars: int = 1
    max_delay: timedelta | None = None
    max_age_from_available: timedelta | None = None
    act_on_old_exits: bool = True
    can_short: bool = False
    accept_replay: bool = False
    clock_skew: timedelta = timedelta(seconds=2)
    score_entry: float = 0.5
    score_exit: float = 0.0
    catch_up: CatchUp = CatchUp.IF_VALID
    debounce: Debounce = field(default_factory=Debounce)
    confidence: Confidence = field(default_factory=Confidence)
    drift_band: float | None = None
    max_leverage: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming each."""
        if self.tolerance_bars < 0:
            raise ConfigError(f"tolerance_bars: expected 0 or more, found {self.tolerance_bars!r}")
        for name in ("max_delay", "max_age_from_available"):
            age: timedelta | None = getattr(self, name)
            if age is not None and age <= _ZERO:
                raise ConfigError(f"{name}: expected a time above zero, found {age!r}")
        if self.clock_skew < _ZERO:
            raise ConfigError(f"clock_skew: expected zero or more, found {self.clock_skew!r}")
        if not (isfinite(self.score_entry) and 0 < self.score_entry <= 1):
            raise ConfigError(
                f"score_entry: expected a number above 0 and at most 1, found {self.score_entry!r}"
            )
        if not (isfinite(self.score_exit) and -1 <= self.score_exit < self.score_entry):
            raise ConfigError(
                f"score_exit: expected a number from -1 to below score_entry, found {self.score_exit!r}"
            )
        if self.drift_band is not None and not (isfinite(self.drift_band) and 0 <= self.drift_band < 1):
            raise ConfigError(
                f"drift_band: expected a share of the capital from 0 to below 1, found {self.drift_band!r}"
            )
        if not (isfinite(self.max_leverage) and 1 <= self.max_leverage <= 125):
            raise ConfigError(f"max_leverage: expected a number from 1 to 125, found {self.max_leverage!r}")
