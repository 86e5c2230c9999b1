"""The kind ``factors``: numbers computed from bars, each bar's from itself and those before it."""

from collections.abc import Mapping

import pandas as pd

from quantbus_research.dataset import has_unbroken_history
from quantbus_research.factors import compute, lookback_bars, select
from quantbus_research.settings.nodes import ArtefactType, FactorSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._tables import bars_of, handed_on

__all__ = ["FACTORS"]


def run(inputs: Inputs, settings: FactorSettings, context: Context) -> Artefact:
    """Compute the factors; beside them each bar's close, and whether its look-back lacks no bar."""
    bars = bars_of(inputs)
    lookback = lookback_bars(settings.names)
    unbroken = has_unbroken_history(bars, context.recipe.market.bars, lookback)
    return Artefact(
        ArtefactType.FACTORS,
        tables={
            "factors": compute(bars, settings.names, workers=context.jobs),
            "history": pd.DataFrame({"close": bars["close"], "unbroken": unbroken}),
        },
        facts={"lookback_bars": lookback, **handed_on(inputs.artefacts)},
    )


def signatures(settings: FactorSettings) -> Mapping[str, str]:
    """Return the signature of each factor."""
    return {factor.name: factor.signature for factor in select(settings.names)}


FACTORS = NodeKind(FactorSettings, run, libraries=("numpy", "pandas", "numba"), signatures=signatures)
