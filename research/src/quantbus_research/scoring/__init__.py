"""Scoring: scores from factors by a formula that a person wrote down; nothing in it is learnt."""

from quantbus_research.scoring.blend import blended
from quantbus_research.scoring.scored import scored_by
from quantbus_research.scoring.votes import Vote, voted

__all__ = ["Vote", "blended", "scored_by", "voted"]
