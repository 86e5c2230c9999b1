"""The kind ``gates``: whether what was found may be published; a refusal is a result with numbers."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.gates import (
    GATES,
    Traded,
    Trial,
    Verdict,
    judge_factors,
    judge_stretches,
    judge_trading,
)
from quantbus_research.settings.nodes import ArtefactType, GateSettings
from quantbus_research.workflows.nodes._base import PASSED, Artefact, Context, Inputs, Json, NodeKind
from quantbus_research.workflows.nodes._tables import handed_on

__all__ = ["GATES_KIND"]


def run(inputs: Inputs, settings: GateSettings, context: Context) -> Artefact:
    """Ask every question that the inputs allow.

    Raises
    ------
    ConfigError
        If they allow none.
    """
    verdicts = list(_verdicts(inputs, settings, context))
    if not verdicts:
        raise ConfigError(
            "expected bars, scores of a model or a backtest to judge, found nothing that can be asked"
        )
    told: list[Json] = [
        {
            "gate": verdict.gate,
            "passed": verdict.passed,
            "told": verdict.told,
            "figures": dict(verdict.figures),
        }
        for verdict in verdicts
    ]
    facts: dict[str, Json] = {PASSED: all(verdict.passed for verdict in verdicts), "verdicts": told}
    return Artefact(ArtefactType.VERDICTS, facts=facts | handed_on(inputs.artefacts))


def _verdicts(inputs: Inputs, settings: GateSettings, context: Context) -> Iterator[Verdict]:
    bars, scores = inputs.maybe(ArtefactType.BARS), inputs.maybe(ArtefactType.SCORES)
    backtest = inputs.maybe(ArtefactType.BACKTEST)
    if bars is not None:
        yield from _of_bars(bars.table("bars"), context)
    if scores is not None and "stretches" in scores.tables:
        yield judge_stretches(scores.table("stretches")["rank_ic"].to_numpy(np.float64), settings)
    if backtest is not None:
        yield from judge_trading(_traded(cast("Mapping[str, Any]", backtest.facts["summary"])), settings)


def _of_bars(bars: pd.DataFrame, context: Context) -> Iterator[Verdict]:
    recipe = context.recipe
    if recipe.has_model:
        trial = Trial(bars, recipe, context.as_of)
        yield from (gate(trial) for gate in GATES)
    else:
        yield judge_factors(bars, recipe.factors.names, recipe.market.bars)


def _traded(summary: Mapping[str, Any]) -> Traded:
    def number(value: float | None) -> float:
        return float("nan") if value is None else float(value)

    return Traded(
        gain=number(summary["result"]["total_return"]),
        dearer_gain=number(summary["at_other_costs"]["all +50 %"]["total_return"]),
        trades=int(summary["result"]["trades"]),
        certainty=number(summary["deflated_sharpe"]),
        variants=int(summary["trials"]),
        timing=number(summary["timing"]),
    )


GATES_KIND = NodeKind(GateSettings, run, libraries=("numpy", "pandas", "lightgbm", "scikit-learn"))
