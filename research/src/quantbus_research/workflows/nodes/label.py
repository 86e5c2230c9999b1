"""The kind ``label``: what came after each bar, and when it was known."""

import pandas as pd

from quantbus_research.labels import direction, forward_return
from quantbus_research.settings.nodes import ArtefactType, LabelSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, Json, NodeKind
from quantbus_research.workflows.nodes._tables import bars_of

__all__ = ["LABEL"]


def run(inputs: Inputs, settings: LabelSettings, context: Context) -> Artefact:
    """Measure what came later: from close to close and, ``earned``, from the next open; nothing after the run."""
    bars, timeframe = bars_of(inputs), context.recipe.market.bars
    rises = direction(bars, timeframe, settings.horizon_bars)
    moved = forward_return(bars, timeframe, settings.horizon_bars)
    earned = forward_return(bars, timeframe, settings.horizon_bars, entry="next_open")
    known = rises.known_at.where(rises.known_at <= pd.Timestamp(context.as_of))
    table = pd.DataFrame(
        {
            "direction": rises.values.where(known.notna()),
            "returns": moved.values.where(known.notna()),
            "known_at": pd.to_datetime(known, utc=True),
            "earned": earned.known_by(pd.Timestamp(context.as_of)),
        }
    )
    facts: dict[str, Json] = {"label": settings.told, "horizon_bars": settings.horizon_bars}
    return Artefact(ArtefactType.LABEL, tables={"label": table}, facts=facts)


LABEL = NodeKind(LabelSettings, run)
