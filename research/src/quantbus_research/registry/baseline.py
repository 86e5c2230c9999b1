"""How features and scores were distributed when a model was trained: what later drift is measured against."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

__all__ = ["Baseline", "Distribution", "distribution_of"]

Floats = NDArray[np.float64]
_BINS = 10


class Distribution(BaseModel):
    """Shares of rows between edges. Bin ``i`` holds values from ``edges[i-1]``, included, to ``edges[i]``, excluded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    """Inner ones, ascending; the outer bins are open. Deciles, each once."""
    shares: tuple[float, ...]
    """One more than edges; together 1."""
    rows: int
    mean: float
    deviation: float
    lowest: float
    highest: float

    def shares_of(self, values: Floats) -> Floats:
        """Return the shares of other values between the same edges; NaN if none is known."""
        known = values[~np.isnan(values)]
        places = np.searchsorted(np.array(self.edges), known, side="right")
        counts = np.bincount(places, minlength=len(self.edges) + 1)
        return counts / len(known) if len(known) else np.full(len(self.edges) + 1, np.nan)


class Baseline(BaseModel):
    """Of every feature, and of the model's own scores on the rows it was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    features: Mapping[str, Distribution]
    score: Distribution

    @classmethod
    def of(cls, features: pd.DataFrame, scores: Floats) -> "Baseline":
        """Measure the training rows."""
        return cls(
            features={
                str(name): distribution_of(features[name].to_numpy(np.float64)) for name in features.columns
            },
            score=distribution_of(scores),
        )


def distribution_of(values: Floats) -> Distribution:
    """Measure at least one finite value."""
    inner = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1], method="inverted_cdf")
    # An edge at the lowest value would bound a bin without rows.
    edges = np.unique(inner[inner > values.min()])
    empty = Distribution(
        edges=tuple(edges.tolist()),
        shares=(),
        rows=len(values),
        mean=float(values.mean()),
        deviation=float(values.std()),
        lowest=float(values.min()),
        highest=float(values.max()),
    )
    return empty.model_copy(update={"shares": tuple(empty.shares_of(values).tolist())})
