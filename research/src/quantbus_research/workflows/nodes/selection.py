"""The kind ``selection``: from scores of many pairs to shares of one capital."""

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.backtests import at_turns, top_k, top_k_drop_n
from quantbus_research.settings.nodes import ArtefactType, SelectionSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._tables import handed_on

__all__ = ["SELECTION"]


def run(inputs: Inputs, settings: SelectionSettings, context: Context) -> Artefact:
    """Choose at each turn; a pair whose score is not known then is not held."""
    market = context.recipe.market
    if settings.hold > len(market.pairs):
        raise ConfigError(
            f"hold: expected at most the {len(market.pairs)} pairs of the recipe, found {settings.hold}"
        )
    table = inputs.one(ArtefactType.SCORES).table("scores")
    scores = at_turns(table["score"], market.bars, settings.every_bars)
    if scores.empty:
        raise ConfigError(
            f"expected scores at one turn of {settings.every_bars} bars at least, found none; give the data node more"
        )
    if settings.drop is None:
        chosen = top_k(scores, settings.hold, short=settings.short)
    else:
        chosen = top_k_drop_n(scores, settings.hold, settings.drop)
    index = pd.MultiIndex.from_product([chosen.columns, chosen.index], names=["symbol", "datetime"])
    targets = pd.DataFrame({"target": chosen.to_numpy(np.float64).T.ravel()}, index=index)
    targets = targets.join(table[["score", "close"]])
    return Artefact(
        ArtefactType.TARGETS,
        tables={"targets": targets},
        facts={"speaks": "weight", "shared": True, "turns": len(chosen), **handed_on(inputs.artefacts)},
    )


SELECTION = NodeKind(SelectionSettings, run)
