"""Scores as a recipe asks for them; the same for the past and for the newest bar."""

import pandas as pd

from quantbus_research.scoring.blend import blended
from quantbus_research.scoring.votes import Vote, voted
from quantbus_research.settings.nodes import ScoreSettings

__all__ = ["scored_by"]


def scored_by(settings: ScoreSettings, features: pd.DataFrame) -> pd.Series:
    """Return the score of each row of factors, -1..1; NaN where a factor is.

    With ``scale = "rank"`` a row is compared with the other symbols of its own bar, so all of these have to be there.

    Raises
    ------
    ConfigError
        If a factor is missing.
    """
    if settings.votes:
        return voted(
            features,
            [
                Vote(vote.factor, vote.above, vote.below, vote.weight, vote.required)
                for vote in settings.votes
            ],
        )
    return blended(features, settings.weights or {}, scale=settings.scale)
