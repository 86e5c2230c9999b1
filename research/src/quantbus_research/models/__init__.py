"""Models: fit, predict, and a text that says all of it."""

from quantbus_research.models._base import Model
from quantbus_research.models.lightgbm_classifier import LightGBMClassifier

__all__ = ["LightGBMClassifier", "Model"]
