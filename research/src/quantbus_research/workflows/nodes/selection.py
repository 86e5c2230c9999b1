"""The kind ``selection``: from scores of many pairs to shares of one capital."""

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.backtests import at_turns
from quantbus_research.publish import chosen_weights
from quantbus_research.settings.nodes import ArtefactType, SelectionSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._tables import handed_on

__all__ = ["SELECTION"]


def run(inputs: Inputs, settings: SelectionSettings, context: Context) -> Artefact:
    """Choose at each turn, as the worker does: of a pair whose score is not known then nothing is said."""
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
    told = _walked(scores, settings, len(market.pairs))
    targets = told.to_frame("target").join(table[["score", "close"]])
    turns = int(targets.index.get_level_values(1).nunique())
    return Artefact(
        ArtefactType.TARGETS,
        tables={"targets": targets},
        facts={"speaks": "weight", "shared": True, "turns": turns, **handed_on(inputs.artefacts)},
    )


def _walked(scores: pd.Series, settings: SelectionSettings, pairs: int) -> pd.Series:
    """Return the weight of each symbol that has a score, turn by turn, beginning with nothing."""
    table = scores.unstack(level=0).sort_index().sort_index(axis=1)
    names, values = [str(symbol) for symbol in table.columns], table.to_numpy(np.float64)
    targets, held = np.full(values.shape, np.nan), dict[str, float]()
    for place, row in enumerate(values):
        known = {name: float(row[column]) for column, name in enumerate(names) if np.isfinite(row[column])}
        chosen = chosen_weights(known, held, settings, pairs=pairs)
        if chosen is None:
            continue
        targets[place] = [chosen.get(name, 0.0) if name in known else np.nan for name in names]
        held = {name: weight for name, weight in held.items() if name not in known} | chosen
    index = pd.MultiIndex.from_product([table.columns, table.index], names=["symbol", "datetime"])
    return pd.Series(targets.T.ravel(), index=index).dropna()


SELECTION = NodeKind(SelectionSettings, run)
