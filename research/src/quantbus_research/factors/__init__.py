"""Factors: causal numbers computed from bars; the same code in training, live prediction and audits."""

from quantbus_research.factors._compute import (
    Vocabulary,
    catalogue,
    compute,
    compute_factors,
    factor_set,
    factor_sets,
    lookback_bars,
    parameter_domains,
    select,
)
from quantbus_research.factors._template import Domain, Factor
from quantbus_research.factors.normalisers import NORMALISERS, normalised

__all__ = [
    "NORMALISERS",
    "Domain",
    "Factor",
    "Vocabulary",
    "catalogue",
    "compute",
    "compute_factors",
    "factor_set",
    "factor_sets",
    "lookback_bars",
    "normalised",
    "parameter_domains",
    "select",
]
