"""The kind ``report``: a backtest and what the gates said of it, as one page and as JSON."""

from typing import Any, cast

from quantbus_research.reports import backtest_report
from quantbus_research.settings.nodes import ArtefactType, BacktestSettings, ReportSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, NodeKind
from quantbus_research.workflows.nodes._trading import traded

__all__ = ["REPORT"]


def run(inputs: Inputs, settings: ReportSettings, context: Context) -> Artefact:
    """Write the report; what the verdicts refuse stands in it."""
    given = inputs.one(ArtefactType.BACKTEST)
    verdicts = inputs.maybe(ArtefactType.VERDICTS)
    judged = cast("list[dict[str, Any]]", verdicts.facts["verdicts"]) if verdicts is not None else []
    found = traded(
        given.table("bars"),
        given.table("targets")["target"],
        BacktestSettings.model_validate(given.facts["settings"]),
        context.recipe.market.bars,
        shared=bool(given.facts["shared"]),
    )
    report = backtest_report(
        found.backtest,
        title=settings.title or "Backtest",
        holding=found.holding,
        other_costs=found.other_costs,
        trial_sharpe_ratios=found.trial_sharpe_ratios,
        judged=[(one["gate"], one["passed"], one["told"]) for one in judged],
    )
    return Artefact(
        ArtefactType.FILES,
        texts={"report.html": report.html, "report.json": report.json},
        facts={"verdict": report.summary.verdict, "doubts": list(report.summary.doubts)},
    )


REPORT = NodeKind(ReportSettings, run, libraries=("numpy", "pandas", "numba", "matplotlib", "jinja2"))
