"""The kind ``rule``: from scores to entries and exits, by the policy that also speaks live."""

import numpy as np
import pandas as pd

from quantbus_research.publish import positions_of
from quantbus_research.settings.nodes import ArtefactType, PolicySettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._tables import handed_on

__all__ = ["RULE"]


def run(inputs: Inputs, settings: PolicySettings, context: Context) -> Artefact:
    """Walk the policy over the scores, each pair from flat.

    Where the recipe lets bars pass whose look-back has a gap, they have no score here. Which of the missing bars the
    venue never had is known live only, so ``skip_open`` is taken as ``skip``.
    """
    given = inputs.one(ArtefactType.SCORES)
    table = given.table("scores")
    scores = table["score"]
    if settings.on_gap != "publish_degraded":
        scores = scores.where(table["unbroken"])
    held = positions_of(scores, settings, context.recipe.market.bars)
    targets = pd.DataFrame({"target": held, "score": scores, "close": table["close"]})
    turns = int((np.diff(held.to_numpy(), prepend=0.0) != 0.0).sum())
    return Artefact(
        ArtefactType.TARGETS,
        tables={"targets": targets},
        facts={"speaks": "action", "shared": False, "turns": turns, **handed_on(inputs.artefacts)},
    )


RULE = NodeKind(PolicySettings, run)
