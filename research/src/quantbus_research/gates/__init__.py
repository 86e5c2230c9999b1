"""Gates: what a model has to show before it is promoted; a refusal is a result with numbers."""

from quantbus_research.gates._base import Figure, Gate, Trial, Verdict
from quantbus_research.gates.consistency import CONSISTENCY, factor_ratios
from quantbus_research.gates.information import INFORMATION, information_ratio
from quantbus_research.gates.leaks import LEAKS, judge_factors, leaks_of
from quantbus_research.gates.overlap import OVERLAP, shared_picks
from quantbus_research.gates.stretches import judge_stretches
from quantbus_research.gates.trading import Traded, judge_trading

__all__ = [
    "CONSISTENCY",
    "GATES",
    "INFORMATION",
    "LEAKS",
    "OVERLAP",
    "Figure",
    "Gate",
    "Traded",
    "Trial",
    "Verdict",
    "factor_ratios",
    "information_ratio",
    "judge_factors",
    "judge_stretches",
    "judge_trading",
    "leaks_of",
    "shared_picks",
]

GATES = (LEAKS, INFORMATION, CONSISTENCY, OVERLAP)
"""All that a model is asked; every one has to be passed."""
