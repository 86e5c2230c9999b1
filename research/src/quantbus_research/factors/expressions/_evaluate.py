"""Computes expressions over a panel: what they share once, in pieces that fit a core's cache, on several cores.

A value depends on the bars of its look-back only, in every bit (see `_windows`), so it does not matter where a piece
begins as long as the look-back stands before it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from quantbus_research.factors.expressions._node import Node
from quantbus_research.factors.expressions._panel import Layout
from quantbus_research.factors.expressions._windows import Floats

__all__ = ["PIECE_BARS", "evaluate"]

PIECE_BARS = 16_384

_Piece = tuple[int, int, int]
"""First row of the symbol, first row wanted, end of the rows wanted."""
_Step = tuple[Node, tuple[Node, ...]]
"""What to compute, and what nobody needs after it."""


def evaluate(
    layout: Layout, columns: Mapping[str, Floats], nodes: Sequence[Node], *, workers: int = 1
) -> Floats:
    """Return the values of expressions (n_nodes, n_rows) in the order of the layout; NaN where history is too short."""
    across: dict[Node, Floats] = {}
    for stage in _stages(tuple(nodes)):
        inner = _by_symbol(layout, columns, [node.arguments[0] for node in stage], across, workers)
        for node, values in zip(stage, inner, strict=True):
            across[node] = layout.across(node.operator.kernel, values, *node.parameters)
    return _by_symbol(layout, columns, nodes, across, workers)


def _by_symbol(
    layout: Layout,
    columns: Mapping[str, Floats],
    nodes: Sequence[Node],
    across: Mapping[Node, Floats],
    workers: int,
) -> Floats:
    result = np.empty((len(nodes), len(layout.times)))
    plan = _plan(tuple(nodes), frozenset(across))
    longest = max((node.lookback_bars for node in nodes), default=1)
    pieces = _pieces(layout, longest)

    def run(piece: _Piece) -> None:
        _run(plan, piece, longest, columns, across, nodes, result)

    if workers > 1 and len(pieces) > 1:
        from joblib import Parallel, delayed  # not needed by a worker that computes one bar

        Parallel(n_jobs=workers, prefer="threads", require="sharedmem")(
            delayed(run)(piece) for piece in pieces
        )
    else:
        for piece in pieces:
            run(piece)
    return result


def _run(
    plan: Sequence[_Step],
    piece: _Piece,
    longest: int,
    columns: Mapping[str, Floats],
    across: Mapping[Node, Floats],
    nodes: Sequence[Node],
    result: Floats,
) -> None:
    begin, first, stop = piece
    start = max(begin, first - longest + 1)
    held: dict[Node, Floats] = {}
    with np.errstate(all="ignore"):
        for node, done in plan:
            if node in across:
                held[node] = across[node][max(start, begin + node.lookback_bars - 1) : stop]
            elif node.operator.scope == "input":
                held[node] = columns[str(node.parameters[0])][start:stop]
            else:
                held[node] = _apply(node, held)
            for finished in done:
                del held[finished]
    for row, node in enumerate(nodes):
        values = held[node][-(stop - first) :]
        result[row, first : stop - len(values)] = np.nan
        result[row, stop - len(values) : stop] = values


def _apply(node: Node, held: Mapping[Node, Floats]) -> Floats:
    tails = [argument for argument in node.arguments if argument.operator.scope != "number"]
    shortest = min(len(held[argument]) for argument in tails)
    arguments = [
        argument.parameters[0]
        if argument.operator.scope == "number"
        else held[argument][len(held[argument]) - shortest :]
        for argument in node.arguments
    ]
    return node.operator.kernel(*arguments, *node.parameters)


@lru_cache(maxsize=256)
def _plan(nodes: tuple[Node, ...], given: frozenset[Node]) -> tuple[_Step, ...]:
    """Order everything that is needed so that arguments come first, and say where each is used last."""
    order: dict[Node, None] = {}

    def visit(node: Node) -> None:
        if node in order or node.operator.scope == "number":
            return
        if node not in given:
            for argument in node.arguments:
                visit(argument)
        order[node] = None

    for node in nodes:
        visit(node)
    last: dict[Node, Node] = {}
    for node in order:
        if node not in given:
            last.update(dict.fromkeys((item for item in node.arguments if item in order), node))
    wanted = frozenset(nodes)
    done: dict[Node, list[Node]] = {}
    for node, user in last.items():
        if node not in wanted:
            done.setdefault(user, []).append(node)
    return tuple((node, tuple(done.get(node, ()))) for node in order)


@lru_cache(maxsize=256)
def _stages(nodes: tuple[Node, ...]) -> tuple[tuple[Node, ...], ...]:
    """Return the operators across symbols, those first that others are made of."""
    depth: dict[Node, int] = {}

    def visit(node: Node) -> int:
        if not node.is_across:
            return 0
        if node not in depth:
            inner = max((visit(argument) for argument in node.arguments), default=0)
            depth[node] = inner + (node.operator.scope == "across")
        return depth[node]

    for node in nodes:
        visit(node)
    stages: dict[int, list[Node]] = {}
    for node, level in depth.items():
        if node.operator.scope == "across":
            stages.setdefault(level, []).append(node)
    return tuple(tuple(stages[level]) for level in sorted(stages))


def _pieces(layout: Layout, longest: int) -> list[_Piece]:
    # A long look-back is computed again before every piece: let the pieces outweigh it.
    size = max(PIECE_BARS, 4 * longest)
    return [
        (begin, first, min(first + size, end))
        for begin, end in layout.segments
        for first in range(begin, end, size)
    ]
