"""What a gate is: a question to a model's own past, answered with numbers; and what it is asked about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import isfinite

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ConfigError
from quantbus_research.dataset import Split, TrainingTable, build_table, split_by_time
from quantbus_research.labels import forward_return
from quantbus_research.models import Model, fit_model
from quantbus_research.settings import Recipe

__all__ = ["Figure", "Gate", "Trial", "Verdict", "figure"]

Figure = float | int | str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one gate found."""

    gate: str
    passed: bool
    told: str
    """One sentence with the numbers."""
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Trial:
    """The bars a model was trained on, and how its family does on the newer part after learning from the older.

    Attributes
    ----------
    panel
        Indexed by (symbol, datetime = bar open time, UTC).
    as_of
        When training took place: no label that was not known then exists.
    """

    panel: pd.DataFrame
    recipe: Recipe
    as_of: datetime

    @cached_property
    def table(self) -> TrainingTable:
        """Factors and labels, as in training."""
        return build_table(self.panel, self.recipe, self.as_of)

    @cached_property
    def split(self) -> Split:
        """The older rows and the newer, as in training."""
        model = self.recipe.model
        return split_by_time(
            self.table.known_at,
            self.recipe.market.bars,
            validation_share=model.validation_share,
            embargo_bars=model.embargo_bars,
        )

    @cached_property
    def returns(self) -> pd.Series:
        """What could be had: from the open after each row's bar to the open ``horizon_bars`` later (a fraction)."""
        recipe = self.recipe
        moved = forward_return(self.panel, recipe.market.bars, recipe.label.horizon_bars, entry="next_open")
        return moved.known_by(pd.Timestamp(self.as_of)).reindex(self.table.features.index)

    @cached_property
    def scores(self) -> pd.Series:
        """Scores (-1..1) of the newer rows by a model fitted on the older."""
        newer = self.table.features[self.split.validation]
        return pd.Series(2.0 * self.fit(self.split.train).predict(newer) - 1.0, index=newer.index)

    def fit(self, rows: NDArray[np.bool_]) -> Model:
        """Fit the recipe's model on some rows."""
        table = self.table
        return fit_model(
            table.features[rows],
            table.direction[rows],
            table.known_at[rows],
            self.recipe.model,
            self.recipe.market.bars,
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """One question; calling it never fails for what the model or its data are like."""

    name: str
    description: str
    judge: Callable[[Trial], tuple[bool, str, Mapping[str, Figure]]]
    """Passed, told, figures. A `ConfigError` counts as a refusal."""

    def __call__(self, trial: Trial) -> Verdict:
        """Ask."""
        try:
            passed, told, figures = self.judge(trial)
        except ConfigError as error:
            passed, told, figures = False, f"it cannot be judged: {error}", {}
        return Verdict(self.name, passed, told, figures)


def figure(value: float) -> float | None:
    """Return a number for the books; None where there is none."""
    return round(float(value), 6) if isfinite(value) else None
