"""The kind ``label``: what came after each bar, and when it was known."""

import pandas as pd

from quantbus_research.labels import direction, forward_return
from quantbus_research.settings.nodes import ArtefactType, LabelSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._tables import bars_of

__all__ = ["LABEL"]


def run(inputs: Inputs, settings: LabelSettings, context: Context) -> Artefact:
    """Measure what came later. What was not known at ``context.as_of`` does not exist."""
    bars, timeframe = bars_of(inputs), context.recipe.market.bars
    rises = direction(bars, timeframe, settings.horizon_bars)
    moved = forward_return(bars, timeframe, settings.horizon_bars)
    known = rises.known_at.where(rises.known_at <= pd.Timestamp(context.as_of))
    table = pd.DataFrame(
        {
            "direction": rises.values.where(known.notna()),
            "returns": moved.values.where(known.notna()),
            "known_at": pd.to_datetime(known, utc=True),
        }
    )
    return Artefact(ArtefactType.LABEL, tables={"label": table}, facts={"label": settings.told})


LABEL = NodeKind(LabelSettings, run)
