"""Evaluation: pure metrics; each docstring says the unit."""

from quantbus_research.evaluation.ranking import area_under_curve, hit_rate, rank_correlation

__all__ = ["area_under_curve", "hit_rate", "rank_correlation"]
