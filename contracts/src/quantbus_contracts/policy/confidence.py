"""A score as confidence: scale an entry's stake softly by it, refuse it hard where it is too low; off by default."""

from dataclasses import dataclass
from math import isfinite

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.side import PositionSide
from quantbus_contracts.schema import Signal

__all__ = ["FULL_AT", "FUSE_BELOW", "SCALE_FLOOR", "Confidence", "SoftScale", "confidence_of"]

SCALE_FLOOR, FULL_AT, FUSE_BELOW = 0.30, 0.55, 0.45
"""Usual values of a probability that a model gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftScale:
    """The full stake from a confidence of ``full_at`` on, in proportion to it below, at least ``floor`` of it."""

    floor: float = SCALE_FLOOR
    full_at: float = FULL_AT

    def __post_init__(self) -> None:
        """Refuse values that make no sense, naming each."""
        if not (isfinite(self.floor) and 0 < self.floor <= 1):
            raise ConfigError(
                f"scale_floor: expected a number above 0 and at most 1, found {self.floor!r}; "
                "to refuse entries of low confidence use fuse_below"
            )
        if not (isfinite(self.full_at) and 0 < self.full_at <= 1):
            raise ConfigError(
                f"scale_full_at: expected a number above 0 and at most 1, found {self.full_at!r}"
            )

    def factor(self, confidence: float) -> float:
        """Return which share of the stake a confidence earns, from ``floor`` to 1."""
        return max(self.floor, min(1.0, confidence / self.full_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """What an entry's confidence does to it.

    Attributes
    ----------
    scale
        How the stake follows the confidence; None leaves it alone.
    fuse_below
        Entries of a lower confidence are refused; None refuses none.
    fail_open
        Whether an entry without a score is made at its full stake; otherwise it is refused. Of no effect where
        neither ``scale`` nor ``fuse_below`` is set.
    """

    scale: SoftScale | None = None
    fuse_below: float | None = None
    fail_open: bool = True

    def __post_init__(self) -> None:
        """Refuse a fuse that makes no sense."""
        if self.fuse_below is not None and not (isfinite(self.fuse_below) and -1 <= self.fuse_below <= 1):
            raise ConfigError(f"fuse_below: expected a number from -1 to 1, found {self.fuse_below!r}")

    def refusal(self, confidence: float | None) -> Reason | None:
        """Return why an entry of this confidence is refused; None if it is not."""
        if confidence is None:
            asked = self.scale is not None or self.fuse_below is not None
            return Reason.NO_CONFIDENCE if asked and not self.fail_open else None
        blown = self.fuse_below is not None and confidence < self.fuse_below
        return Reason.BELOW_FUSE if blown else None

    def factor(self, confidence: float | None) -> float:
        """Return which share of the stake to stake."""
        return 1.0 if self.scale is None or confidence is None else self.scale.factor(confidence)


def confidence_of(signal: Signal, side: PositionSide) -> float | None:
    """Return how sure the signal is of an entry on ``side``; None where it does not say.

    Beside an action the score is the confidence itself, on either side; elsewhere its sign is a direction.
    """
    if signal.score is None or signal.action is not None:
        return signal.score
    return signal.score if side == "long" else -signal.score
