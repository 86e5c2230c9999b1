"""Why a formula said what it said: which conditions held, or what each factor added."""

from dataclasses import dataclass

import pandas as pd

from quantbus_research.scoring.votes import Vote
from quantbus_research.settings.nodes import ScoreSettings

__all__ = ["Reason", "reasons_of"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One factor's part in a score.

    Attributes
    ----------
    condition
        What was asked of the factor; None where its value counts as it is.
    holds
        Whether it was so; None where nothing was asked.
    weight
        Share of all weights, below zero where the factor is turned round.
    added
        To the score of votes, which begins at -1 with none; or to the weighted mean, before that is brought to scale.
    bars
        Whether this alone decided: a required condition that did not hold.
    """

    factor: str
    value: float
    condition: str | None
    holds: bool | None
    weight: float
    added: float
    bars: bool = False


def reasons_of(settings: ScoreSettings, row: pd.Series) -> tuple[Reason, ...]:
    """Return the parts of the score of one row of factors, in the order of the recipe."""
    if not settings.votes:
        weights = settings.weights or {}
        whole = sum(abs(weight) for weight in weights.values())
        return tuple(
            Reason(name, float(row[name]), None, None, weight / whole, weight / whole * float(row[name]))
            for name, weight in weights.items()
        )
    whole = sum(vote.weight for vote in settings.votes)
    found = []
    for asked in settings.votes:
        vote = Vote(asked.factor, asked.above, asked.below, asked.weight, asked.required)
        holds = bool(vote.holds(row[[vote.factor]]).iloc[0])
        share = vote.weight / whole
        found.append(
            Reason(
                vote.factor,
                float(row[vote.factor]),
                _condition(vote),
                holds,
                share,
                2.0 * share * holds,
                bars=vote.required and not holds,
            )
        )
    return tuple(found)


def _condition(vote: Vote) -> str:
    bounds = [f"above {vote.above:g}"] if vote.above is not None else []
    bounds += [f"below {vote.below:g}"] if vote.below is not None else []
    return " and ".join(bounds) + (", required" if vote.required else "")
