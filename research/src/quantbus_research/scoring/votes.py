"""Votes: how many of several conditions speak for being in the market."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError

__all__ = ["Vote", "voted"]


@dataclass(frozen=True, slots=True)
class Vote:
    """One condition on one factor. It holds above ``above`` and below ``below``, where they are given.

    Attributes
    ----------
    weight
        How much it counts beside the others, above zero.
    required
        Where it does not hold, nothing else counts: the score is -1.
    """

    factor: str
    above: float | None = None
    below: float | None = None
    weight: float = 1.0
    required: bool = False

    def __post_init__(self) -> None:
        """Refuse a vote that asks nothing, or can never hold."""
        if self.above is None and self.below is None:
            raise ConfigError(f"{self.factor}: expected a vote with above or below, found neither")
        if self.above is not None and self.below is not None and self.above >= self.below:
            raise ConfigError(
                f"{self.factor}: expected above ({self.above:g}) to be less than below ({self.below:g})"
            )
        if not self.weight > 0:
            raise ConfigError(f"{self.factor}: expected a weight above zero, found {self.weight!r}")

    def holds(self, values: pd.Series) -> pd.Series:
        """Say for each value whether the condition holds (boolean; False where the value is NaN)."""
        told = values.notna()
        if self.above is not None:
            told &= values > self.above
        if self.below is not None:
            told &= values < self.below
        return told


def voted(features: pd.DataFrame, votes: Sequence[Vote]) -> pd.Series:
    """Return the score of each row: 1 where every condition holds, -1 where none does, by weight in between.

    NaN where a factor is: what is not known is no vote against.
    """
    if not votes:
        raise ConfigError("expected at least one vote, found none")
    _require(features, [vote.factor for vote in votes])
    whole = sum(vote.weight for vote in votes)
    held, barred = np.zeros(len(features)), np.zeros(len(features), dtype=bool)
    known = np.ones(len(features), dtype=bool)
    for vote in votes:
        values = features[vote.factor]
        holds = vote.holds(values).to_numpy()
        held += vote.weight * holds
        known &= values.notna().to_numpy()
        if vote.required:
            barred |= ~holds
    scores = np.where(barred, -1.0, 2.0 * held / whole - 1.0)
    return pd.Series(np.where(known, scores, np.nan), index=features.index, name="score")


def _require(features: pd.DataFrame, names: Sequence[str]) -> None:
    missing = sorted({name for name in names if name not in features.columns})
    if missing:
        raise ConfigError(
            f"expected the factors {', '.join(missing)} among those computed, found "
            f"{', '.join(map(str, features.columns))}"
        )
