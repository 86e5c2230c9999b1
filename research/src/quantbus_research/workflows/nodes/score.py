"""The kind ``score``: scores from factors by a formula that a person wrote down."""

from quantbus_research.scoring import scored_by
from quantbus_research.settings.nodes import ArtefactType, ScoreSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._tables import features_of, handed_on, history_of, scored

__all__ = ["SCORE"]


def run(inputs: Inputs, settings: ScoreSettings, context: Context) -> Artefact:
    """Score every bar whose factors are all known."""
    scores = scored_by(settings, features_of(inputs))
    return Artefact(
        ArtefactType.SCORES,
        tables={"scores": scored(scores, history_of(inputs))},
        facts=handed_on(inputs.artefacts),
    )


SCORE = NodeKind(ScoreSettings, run)
