"""Scoring: scores from factors by a formula that a person wrote down; nothing in it is learnt."""

from quantbus_research.scoring.blend import blended, places_of
from quantbus_research.scoring.explained import Reason, reasons_of
from quantbus_research.scoring.scored import scored_by
from quantbus_research.scoring.votes import Vote, voted

__all__ = ["Reason", "Vote", "blended", "places_of", "reasons_of", "scored_by", "voted"]
