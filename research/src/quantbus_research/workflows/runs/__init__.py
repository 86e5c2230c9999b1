"""Runs: the graph of a recipe from bars to signals, cached, resumed, and written down."""

from quantbus_research.workflows.runs.manifest import Done, Outcome, RunManifest
from quantbus_research.workflows.runs.rehearsal import Rehearsal, rehearse_graph
from quantbus_research.workflows.runs.runner import (
    CACHE,
    RUNS,
    Observer,
    RunOptions,
    RunReport,
    Surroundings,
    chosen_nodes,
    run_graph,
)
from quantbus_research.workflows.runs.store import ArtefactStore, Stored

__all__ = [
    "CACHE",
    "RUNS",
    "ArtefactStore",
    "Done",
    "Observer",
    "Outcome",
    "Rehearsal",
    "RunManifest",
    "RunOptions",
    "RunReport",
    "Stored",
    "Surroundings",
    "chosen_nodes",
    "rehearse_graph",
    "run_graph",
]
