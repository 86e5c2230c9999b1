"""The kind ``backtest``: what following the targets would have come to, at the next open and after costs."""

import pandas as pd

from quantbus_research.reports import summarise
from quantbus_research.settings.nodes import ArtefactType, BacktestSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._tables import bars_of, handed_on
from quantbus_research.workflows.nodes._trading import traded

__all__ = ["BACKTEST"]


def run(inputs: Inputs, settings: BacktestSettings, context: Context) -> Artefact:
    """Trade the targets, and hold the result against holding, other costs and luck."""
    given = inputs.one(ArtefactType.TARGETS)
    targets = given.table("targets")[["target"]]
    shared = bool(given.facts["shared"])
    bars = bars_of(inputs)
    found = traded(bars, targets["target"], settings, context.recipe.market.bars, shared=shared)
    summary = summarise(
        found.backtest,
        holding=found.holding,
        other_costs=found.other_costs,
        trial_sharpe_ratios=found.trial_sharpe_ratios,
    )
    equity = pd.DataFrame({"equity": found.backtest.equity, "holding": found.holding.equity})
    start = found.backtest.market.times[0]
    window = bars.loc[bars.index.get_level_values(1) >= start, ["open", "close", "volume"]]
    return Artefact(
        ArtefactType.BACKTEST,
        tables={
            "equity": equity.rename_axis("datetime"),
            "orders": found.backtest.orders,
            "bars": window,
            "targets": targets,
        },
        facts={
            "verdict": summary.verdict,
            "summary": summary.as_dict(),  # type: ignore[dict-item]  # plain values, ready for JSON
            "settings": settings.meaning(),  # type: ignore[dict-item]
            "shared": shared,
            **handed_on(inputs.artefacts),
        },
    )


BACKTEST = NodeKind(BacktestSettings, run, libraries=("numpy", "pandas", "numba"))
