"""Costs: what trading costs, as a model and as funding that was really charged."""

from quantbus_research.costs.funding import funding_by_bar
from quantbus_research.costs.model import FREE, CostModel

__all__ = ["FREE", "CostModel", "funding_by_bar"]
