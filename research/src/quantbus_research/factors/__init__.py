"""Factors: causal numbers computed from bars; the same code in training, live prediction and audits."""

from quantbus_research.factors._base import Bars, Factor, Floats
from quantbus_research.factors._compute import catalogue, compute, compute_factors, lookback_bars, select

__all__ = [
    "Bars",
    "Factor",
    "Floats",
    "catalogue",
    "compute",
    "compute_factors",
    "lookback_bars",
    "select",
]
