"""The nodes of a recipe as a graph: who waits for whom, and what is wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from quantbus_research.settings.nodes import ArtefactType, NodeSettings, Port

__all__ = ["GraphFault", "ancestors", "graph_faults", "levels"]

Nodes = Mapping[str, NodeSettings]


@dataclass(frozen=True, slots=True)
class GraphFault:
    """What is wrong, at which key, and (inside a list) with which value."""

    path: tuple[str, ...]
    reason: str
    value: str | None = None


def ancestors(nodes: Nodes, name: str) -> tuple[str, ...]:
    """Return the nodes that a node waits for, itself last, in an order in which they can be run."""
    found: dict[str, None] = {}

    def visit(current: str) -> None:
        for earlier in nodes[current].inputs:
            if earlier not in found:
                visit(earlier)
        found[current] = None

    visit(name)
    return tuple(found)


def levels(nodes: Nodes) -> tuple[tuple[str, ...], ...]:
    """Return the nodes in groups: none waits for another of its own group, or for one of a later group."""
    depth: dict[str, int] = {}

    def place(name: str) -> int:
        if name not in depth:
            depth[name] = max((place(earlier) + 1 for earlier in nodes[name].inputs), default=0)
        return depth[name]

    for name in nodes:
        place(name)
    return tuple(
        tuple(name for name in nodes if depth[name] == level)
        for level in range(max(depth.values(), default=-1) + 1)
    )


def graph_faults(nodes: Nodes) -> list[GraphFault]:
    """Return everything that keeps the nodes from being a graph that can be run."""
    faults = [*_unknown_inputs(nodes), *_too_often(nodes)]
    faults += [fault for name, node in nodes.items() for fault in _wrong_inputs(nodes, name, node)]
    known = {name: [item for item in node.inputs if item in nodes] for name, node in nodes.items()}
    order = list(nodes)
    return sorted([*faults, *_circles(known)], key=lambda fault: order.index(fault.path[1]))


def _unknown_inputs(nodes: Nodes) -> Iterator[GraphFault]:
    for name, node in nodes.items():
        for place, wanted in enumerate(node.inputs):
            path = ("nodes", name, "inputs")
            if wanted in node.inputs[:place]:
                yield GraphFault(path, f"expected each input once, found {wanted!r} twice", wanted)
            elif wanted not in nodes:
                near = get_close_matches(wanted, nodes, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(nodes)}"
                yield GraphFault(path, f"no node is called {wanted!r}; {hint}", wanted)


def _too_often(nodes: Nodes) -> Iterator[GraphFault]:
    first: dict[str, str] = {}
    for name, node in nodes.items():
        if node.once and node.kind in first:
            yield GraphFault(
                ("nodes", name, "kind"),
                f"expected one node of kind {node.kind!r}, found {first[node.kind]!r} and {name!r}",
            )
        first.setdefault(node.kind, name)


def _wrong_inputs(nodes: Nodes, name: str, node: NodeSettings) -> Iterator[GraphFault]:
    path, ports = ("nodes", name, "inputs"), {port.type: port for port in node.takes}
    given: dict[ArtefactType, list[str]] = {}
    for item in node.inputs:
        if item in nodes:
            given.setdefault(nodes[item].makes, []).append(item)
    takes = ", ".join(map(str, node.takes)) or "no inputs"
    lacking = [port for port in node.takes if len(given.get(port.type, ())) < port.least]
    hint = "".join(f"; {_maker(nodes, name, port)}" for port in lacking)
    for made, names in given.items():
        if made not in ports:
            told = f"{node.kind!r} takes {takes}; {names[0]!r} makes {made}{hint}"
            yield GraphFault(path, told, names[0])
        elif len(names) > ports[made].most:
            told = f"{node.kind!r} takes {takes}; {' and '.join(map(repr, names))} make {made}"
            yield GraphFault(path, told, names[-1])
    if lacking and given.keys() <= ports.keys() and all(item in nodes for item in node.inputs):
        wanted = " and ".join(str(port.type) for port in lacking)
        found = ", ".join(f"{item!r} ({nodes[item].makes})" for item in node.inputs) or "none"
        yield GraphFault(path, f"{node.kind!r} needs an input of type {wanted}, found {found}{hint}")


def _maker(nodes: Nodes, name: str, port: Port) -> str:
    makers = [other for other, settings in nodes.items() if settings.makes is port.type and other != name]
    return f"{makers[0]!r} makes {port.type}" if makers else f"no node makes {port.type}"


def _circles(inputs: Mapping[str, Sequence[str]]) -> Iterator[GraphFault]:
    """Tell each circle once, at the node of it that the file names first."""
    left = {name: set(earlier) for name, earlier in inputs.items()}
    while True:
        ready = [name for name, earlier in left.items() if not earlier & left.keys()]
        if not ready:
            break
        for name in ready:
            del left[name]
    while left:
        walked = [next(iter(left))]
        while walked[-1] not in walked[:-1]:
            walked.append(next(item for item in inputs[walked[-1]] if item in left))
        circle = walked[walked.index(walked[-1]) : -1]
        start = min(circle, key=list(inputs).index)
        shown = circle[circle.index(start) :] + circle[: circle.index(start)]
        told = " waits for ".join(repr(name) for name in [*shown, start])
        yield GraphFault(
            ("nodes", start, "inputs"),
            f"{told}: no node can wait for itself",
            [*shown, start][1],
        )
        gone = {name for name in left if set(circle) & _behind(inputs, name)}
        for name in gone:
            del left[name]


def _behind(inputs: Mapping[str, Sequence[str]], name: str) -> set[str]:
    found, waiting = {name}, [name]
    while waiting:
        for earlier in inputs[waiting.pop()]:
            if earlier not in found:
                found.add(earlier)
                waiting.append(earlier)
    return found
