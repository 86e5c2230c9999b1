"""Nodes: what each kind of node of a recipe does; one file a kind."""

from collections.abc import Mapping
from types import MappingProxyType

from quantbus_research.workflows.nodes._base import (
    PASSED,
    SNAPSHOT,
    Artefact,
    Context,
    Inputs,
    Json,
    NodeKind,
    Reach,
)

__all__ = ["KINDS", "PASSED", "SNAPSHOT", "Artefact", "Context", "Inputs", "Json", "NodeKind", "Reach"]

_ALL: tuple[NodeKind, ...] = ()
KINDS: Mapping[str, NodeKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Every kind that can be run, by name."""
