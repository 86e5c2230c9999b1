"""Models: fit, predict, and a text that says all of it."""

from quantbus_research.models._base import Model
from quantbus_research.models.calibration import Calibrated, IsotonicCurve, SigmoidCurve, curve_of
from quantbus_research.models.explained import BASE, Explainable, Explanation, contributions, explain
from quantbus_research.models.families import FAMILIES, fit_model, read_model
from quantbus_research.models.lightgbm_classifier import LightGBMClassifier
from quantbus_research.models.linear_classifier import LinearClassifier
from quantbus_research.models.walking import FoldFigures, Walked, walked

__all__ = [
    "BASE",
    "FAMILIES",
    "Calibrated",
    "Explainable",
    "Explanation",
    "FoldFigures",
    "IsotonicCurve",
    "LightGBMClassifier",
    "LinearClassifier",
    "Model",
    "SigmoidCurve",
    "Walked",
    "contributions",
    "curve_of",
    "explain",
    "fit_model",
    "read_model",
    "walked",
]
