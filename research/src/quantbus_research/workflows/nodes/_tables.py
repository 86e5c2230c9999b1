"""The tables that artefacts hold, and how they are joined; all by (symbol, datetime = bar open time, UTC)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.settings.nodes import ArtefactType
from quantbus_research.workflows.nodes._base import NEWEST, SNAPSHOT, Artefact, Inputs, Json

__all__ = ["LINEAGE", "bars_of", "features_of", "handed_on", "history_of", "scored"]

LINEAGE = (SNAPSHOT, NEWEST, "model_id", "model_sha256")
"""Facts that are handed on from artefact to artefact, so that a signal can say where it is from and what it lacks."""


def bars_of(inputs: Inputs) -> pd.DataFrame:
    """Return the bars: open, high, low, close, volume."""
    return inputs.one(ArtefactType.BARS).table("bars")


def features_of(inputs: Inputs) -> pd.DataFrame:
    """Return the factors of all inputs side by side, each once."""
    tables = [artefact.table("factors") for artefact in inputs.all(ArtefactType.FACTORS)]
    if len(tables) == 1:
        return tables[0]
    joined = pd.concat(tables, axis=1, join="inner")
    return joined.loc[:, ~joined.columns.duplicated()]


def history_of(inputs: Inputs) -> pd.DataFrame:
    """Return for each bar its close, and whether no bar is missing in the longest look-back of all inputs."""
    first, *others = [artefact.table("history") for artefact in inputs.all(ArtefactType.FACTORS)]
    whole = first
    for other in others:
        whole = whole.loc[whole.index.intersection(other.index)]
        whole = whole.assign(unbroken=whole["unbroken"] & other["unbroken"].reindex(whole.index))
    return whole


def scored(scores: pd.Series, history: pd.DataFrame) -> pd.DataFrame:
    """Return the table of an artefact of scores: from the first on, each bar that there is; NaN where it has none.

    So what follows sees the bars about which nothing is known: an exit may be due at them by time.
    """
    known = scores[np.isfinite(scores.to_numpy(np.float64))].sort_index()
    if known.empty:
        raise ConfigError(
            "expected scores of some bars, found none: the factors look back further than the bars go; "
            "give the data node more bars, or the factors shorter windows"
        )
    since = history[history.index.get_level_values(1) >= known.index.get_level_values(1).min()].sort_index()
    table: pd.DataFrame = since.assign(score=known.reindex(since.index))
    return table[["score", "close", "unbroken"]]


def handed_on(artefacts: Sequence[Artefact]) -> dict[str, Json]:
    """Return the facts of inputs that say where they come from; the last that says one counts."""
    return {
        name: artefact.facts[name] for artefact in artefacts for name in LINEAGE if name in artefact.facts
    }
