"""What all processes export: clean, in base units, and told in one table."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from quantbus_services.monitor.checks import CHECKS
from tests.unit.deploy.exporting import PROCESSES, exported_by

PAGE = Path("docs/monitoring.md")
CLOSED = {
    *("symbol", "timeframe", "strategy_id", "consumer_id", "pair", "currency", "account", "market"),
    *("process", "instance", "version", "member", "source", "model"),
    *("outcome", "kind", "reason", "state", "check", "severity", "event", "route", "limit", "subject", "hop"),
}
"""Labels with as many values as there are things that a person has set up; never an order, a trade or a signal."""


def test_promtool_finds_nothing_to_complain_about_in_what_any_process_exports(promtool: str) -> None:
    for process in PROCESSES:
        text, _ = exported_by(process)
        done = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, b""), process


def test_every_collector_of_the_product_is_among_them(root: Path) -> None:
    known = {register.__name__ for made in PROCESSES.values() for register in made}
    found = set()
    for file in root.glob("*/src/**/metrics.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Metrics"):
                found.add(node.name)
    assert found == known


@pytest.mark.parametrize("process", PROCESSES)
def test_names_are_in_base_units_and_tell_moments_rather_than_ages(process: str) -> None:
    for metric in exported_by(process)[1]:
        assert metric.name.startswith("quantbus_"), metric
        assert not re.search(r"_(ms|milliseconds|minutes|hours|percent|age)(_|$)", metric.name), metric
        if "timestamp" in metric.name:
            assert metric.name.endswith("_timestamp_seconds"), metric
            assert metric.kind == "gauge", metric
        if metric.kind == "counter":
            assert metric.name.endswith("_total"), metric
        if metric.kind == "histogram":
            assert metric.name.endswith(("_seconds", "_ratio")), metric
        assert set(metric.labels) <= CLOSED, metric


def test_the_page_lists_every_metric_and_no_other(root: Path) -> None:
    expected: dict[str, tuple[str, str, set[str]]] = {}
    for process in PROCESSES:
        for metric in exported_by(process)[1]:
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            known = expected.setdefault(metric.name, (metric.kind, labels, set()))
            assert known[:2] == (metric.kind, labels), f"{metric.name} means two things"
            known[2].add(process)
    told = {
        cells[0].strip("`"): (cells[1], cells[2], set(cells[3].split(", ")))
        for cells in rows_of(root, "| metric | kind | labels | exported by | what it says |")
    }
    everywhere = set(PROCESSES)
    assert {
        name: (kind, labels, everywhere if by == {"all"} else by) for name, (kind, labels, by) in told.items()
    } == expected


def test_the_page_lists_every_check_and_no_other(root: Path) -> None:
    told = [
        (cells[0].strip("`"), cells[1], cells[2])
        for cells in rows_of(root, "| check | looks every | finds something when | settings |")
    ]
    assert told == [(check.name, f"{check.every.total_seconds():g} s", check.threshold) for check in CHECKS]


def test_the_page_tells_the_default_of_every_setting_it_names(root: Path) -> None:
    from quantbus_services.monitor.settings import MonitorSettings

    text = (root / PAGE).read_text()
    named = re.findall(r"`QUANTBUS_MONITOR_([A-Z_]+)`(?: \(([^)]*)\))?", text)
    assert len(named) > 15
    for name, default in named:
        field = MonitorSettings.model_fields[name.lower()]
        if default:
            value = field.get_default(call_default_factory=True)
            assert default == (f"{value:g}" if isinstance(value, float | int) else str(value)), name


def rows_of(root: Path, heading: str) -> list[list[str]]:
    lines = (root / PAGE).read_text().splitlines()
    start = lines.index(heading) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows
