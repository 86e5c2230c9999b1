"""What a model can do, whatever its family."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Model"]


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
