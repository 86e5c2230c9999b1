"""Nodes: what each kind of node of a recipe does; one file a kind."""

from collections.abc import Mapping
from types import MappingProxyType

from quantbus_research.workflows.nodes._base import (
    AS_OF,
    NEWEST,
    PASSED,
    SNAPSHOT,
    Artefact,
    Context,
    Inputs,
    Json,
    NodeKind,
    Reach,
)
from quantbus_research.workflows.nodes.backtest import BACKTEST
from quantbus_research.workflows.nodes.data import DATA
from quantbus_research.workflows.nodes.factors import FACTORS
from quantbus_research.workflows.nodes.gates import GATES_KIND
from quantbus_research.workflows.nodes.label import LABEL
from quantbus_research.workflows.nodes.model import MODEL
from quantbus_research.workflows.nodes.publish import PUBLISH
from quantbus_research.workflows.nodes.qlib import QLIB
from quantbus_research.workflows.nodes.report import REPORT
from quantbus_research.workflows.nodes.rule import RULE
from quantbus_research.workflows.nodes.score import SCORE
from quantbus_research.workflows.nodes.selection import SELECTION

__all__ = [
    "AS_OF",
    "KINDS",
    "NEWEST",
    "PASSED",
    "SNAPSHOT",
    "Artefact",
    "Context",
    "Inputs",
    "Json",
    "NodeKind",
    "Reach",
]

_ALL: tuple[NodeKind, ...] = (
    DATA,
    FACTORS,
    LABEL,
    MODEL,
    QLIB,
    SCORE,
    RULE,
    SELECTION,
    BACKTEST,
    GATES_KIND,
    REPORT,
    PUBLISH,
)
KINDS: Mapping[str, NodeKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every kind that can be run, by name."""
