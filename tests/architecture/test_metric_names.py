"""A metric's name means one thing, whichever process exports it."""

import ast
from collections import defaultdict

from tests.architecture.tree import modules

KINDS = {"Counter", "Gauge", "Histogram", "Info", "Summary"}


def test_every_metric_is_defined_in_one_place() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules():
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS):
                continue
            name = ast.unparse(node.args[0]) if node.args else ""
            if "quantbus_" in name and not name.startswith("f"):
                places[name].append(f"{module.path}:{node.lineno}")
    assert len(places) > 20, "the metrics were not found"
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
