"""What a model can do, whatever its family."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ConfigError

__all__ = ["Model", "require_both_outcomes"]


class Model(Protocol):
    """Predicts the probability of a rise; stored as text, never as a pickle."""

    @property
    def kind(self) -> str:
        """The family, as recipes spell it."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it was fitted on, in order."""
        ...

    def predict(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return probabilities (n_rows,), 0..1; columns are matched by name."""
        ...

    def to_text(self) -> str:
        """Return the model in its family's own text format."""
        ...

    def describe(self) -> Mapping[str, str | int | float]:
        """Return what a person wants to know about it, ready for JSON."""
        ...


def require_both_outcomes(labels: pd.Series) -> None:
    """Refuse labels that teach nothing.

    Raises
    ------
    ConfigError
        If there are no rows, or not both 0.0 and 1.0 among them.
    """
    outcomes = sorted(labels.unique())
    if outcomes != [0.0, 1.0]:
        raise ConfigError(
            f"expected rising and falling bars to learn from, found {len(labels)} rows "
            f"with outcomes {outcomes!r}; give the model more or other history"
        )
