"""The alert rules: tested to fire, to hold off and to resolve, about metrics that exist, with a runbook behind each."""

import re
import shlex
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build
from quantbus_services.ingestion.gaps.metrics import GapMetrics
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.monitor import metrics as monitor_metrics
from quantbus_services.monitor.alerts.metrics import AlertMetrics
from quantbus_services.monitor.checks import CHECKS

Rule = dict[str, Any]
FOLDER = Path("deploy/prometheus")
RUNBOOKS = Path("docs/runbooks")
TWINS = {"MonitorLoopStale": "MonitorDown", "CheckUnknown": "BusDown", "WatchdogNotHeard": "MonitorDown"}
"""Alerts about age whose figure is absent only while the other alert fires."""
MONITORS_OWN = ("LoopMetrics", "ChainMetrics", "LedgerMetrics", "PlatformMetrics", "BotMetrics")
OF_ITSELF = {"WatchdogSilent"}
"""What the monitor raises without Prometheus: that is what it is about."""


@pytest.fixture(scope="module")
def rules(root: Path) -> list[Rule]:
    files = sorted((root / FOLDER / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def alerts(rules: list[Rule]) -> list[Rule]:
    return [rule for rule in rules if "alert" in rule]


def cases_of(root: Path) -> dict[str, list[list[tuple[int, bool]]]]:
    """Return for each alert, test by test, at which second it is expected to fire or not."""
    found: dict[str, list[list[tuple[int, bool]]]] = defaultdict(list)
    for file in sorted((root / FOLDER / "tests").glob("*.yml")):
        for test in yaml.safe_load(file.read_text())["tests"]:
            own: dict[str, list[tuple[int, bool]]] = defaultdict(list)
            for case in test.get("alert_rule_test", []):
                own[case["alertname"]].append((seconds(str(case["eval_time"])), bool(case["exp_alerts"])))
            for name, expected in own.items():
                found[name].append(sorted(expected))
    return found


def seconds(duration: str) -> int:
    parts = re.findall(r"(\d+)([hms]?)", duration)
    return sum(int(count) * {"h": 3600, "m": 60, "s": 1, "": 1}[unit] for count, unit in parts)


def exported_names() -> dict[str, set[str]]:
    """Return what our processes export: every sample's name, and the labels that it may have."""
    registry = CollectorRegistry()
    for name in MONITORS_OWN:
        getattr(monitor_metrics, name)(registry)
    AlertMetrics(registry)
    second = CollectorRegistry()
    IngestionMetrics(second)
    GapMetrics(second)
    names: dict[str, set[str]] = {}
    for source in (registry, second):
        for collector, own in source._collector_to_names.items():
            for name in own:
                names.setdefault(name, set()).update(getattr(collector, "_labelnames", ()))
    return names


def test_there_are_enough_alerts_and_each_name_is_used_once(alerts: list[Rule]) -> None:
    names = [rule["alert"] for rule in alerts]
    assert len(names) >= 18
    assert len(set(names)) == len(names)


def test_every_alert_is_tested_to_fire_to_hold_off_and_to_resolve(root: Path, alerts: list[Rule]) -> None:
    cases = cases_of(root)
    assert set(cases) == {rule["alert"] for rule in alerts}
    for name, tests in cases.items():
        if name == "Watchdog":  # it always fires, and that is all there is to try
            assert all(fires for test in tests for _, fires in test)
            continue
        flat = [[fires for _, fires in test] for test in tests]
        assert len(tests) >= 3, f"{name} has {len(tests)} tests"
        assert any(any(test) for test in flat), f"{name} is never tested to fire"
        assert any(not any(test) for test in flat), f"{name} is never tested to hold off"
        resolved = any(True in test and False in test[test.index(True) :] for test in flat)
        assert resolved, f"{name} is never tested to resolve"


def test_every_recording_rule_is_tested(root: Path, rules: list[Rule]) -> None:
    files = sorted((root / FOLDER / "tests").glob("*.yml"))
    tests = [test for file in files for test in yaml.safe_load(file.read_text())["tests"]]
    tried = {case["expr"] for test in tests for case in test.get("promql_expr_test", [])}
    assert {rule["record"] for rule in rules if "record" in rule} <= tried


def test_every_metric_that_a_rule_names_is_one_that_we_export(rules: list[Rule]) -> None:
    exported = exported_names()
    named = {name for rule in rules for name in re.findall(r"(?<![:\w])quantbus_\w+", rule["expr"])}
    assert len(named) > 15
    assert named <= set(exported)


def test_every_label_that_a_rule_asks_for_is_one_that_its_metric_has(rules: list[Rule]) -> None:
    exported = exported_names()
    asked = [
        (name, label)
        for rule in rules
        for name, inside in re.findall(r"(quantbus_\w+)\{([^}]*)\}", rule["expr"])
        for label in re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", inside)
    ]
    assert asked
    assert [(name, label) for name, label in asked if label not in exported[name]] == []


def test_every_finding_that_a_rule_asks_for_is_one_that_a_check_makes(root: Path, rules: list[Rule]) -> None:
    folder = root / "services/src/quantbus_services/monitor"
    code = "\n".join(file.read_text() for file in folder.rglob("*.py"))
    made = {check.name for check in CHECKS} | set(re.findall(r'kind="(\w+)"', code))
    for rule in rules:
        for kinds in re.findall(r'quantbus_finding_\w+\{kind=~?"([^"]+)"', rule["expr"]):
            assert set(kinds.split("|")) <= made, rule["alert"]


def test_every_alert_says_how_bad_it_is_what_it_means_and_what_shows_more(alerts: list[Rule]) -> None:
    for rule in alerts:
        expected = {"none"} if rule["alert"] == "Watchdog" else {"critical", "warning"}
        assert rule["labels"]["severity"] in expected, rule["alert"]
        assert {"summary", "description", "command", "runbook_url"} == set(rule["annotations"]), rule["alert"]
        assert rule["for"], rule["alert"]


def test_every_alert_about_one_thing_says_which(alerts: list[Rule]) -> None:
    for rule in alerts:
        text = rule["annotations"]["summary"] + rule["annotations"]["description"]
        if "quantbus_finding_since" in rule["expr"]:
            assert "$labels." in text, rule["alert"]


def test_the_command_of_every_alert_exists_with_its_options(alerts: list[Rule]) -> None:
    commands = {re.sub(r"\{\{.*?\}\}", "something", rule["annotations"]["command"]) for rule in alerts}
    for command in sorted(commands):
        words = shlex.split(command)
        if words[0] == "amtool":
            continue
        assert words[0] == "quantbus", command
        result = CliRunner().invoke(build(words[1:]), [*words[1:], "--help"])
        assert result.exit_code == 0, f"{command}: {result.output}"


def test_every_alert_has_a_runbook_with_a_section_and_an_anchor_of_its_own(
    root: Path, alerts: list[Rule]
) -> None:
    for rule in alerts:
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        headings = re.findall(r"^## (\w+)$", (root / page).read_text(), flags=re.MULTILINE)
        assert rule["alert"] in headings, f"{page} has no section {rule['alert']}"
        assert anchor in ("", rule["alert"].lower()), rule["alert"]
        assert anchor or headings[0] == rule["alert"], f"{rule['alert']} does not open {page}"


def test_every_runbook_is_about_alerts_that_exist_and_says_how_it_ends(
    root: Path, alerts: list[Rule]
) -> None:
    known = {rule["alert"] for rule in alerts} | OF_ITSELF
    linked = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in alerts}
    pages = sorted((root / RUNBOOKS).glob("*.md"))
    assert linked == {str(page.relative_to(root)) for page in pages}
    overview = (root / "docs/alerting.md").read_text()
    for page in pages:
        text = page.read_text()
        assert set(re.findall(r"^## (\w+)$", text, flags=re.MULTILINE)) <= known, page.name
        for part in ("**What it means.**", "**See more.**", "**What to do.**", "**It is over**"):
            assert part in text, f"{page.name} has no {part}"
        assert f"runbooks/{page.name}" in overview, f"docs/alerting.md does not link {page.name}"


def test_every_alert_about_age_has_a_twin_for_when_nobody_knows(alerts: list[Rule]) -> None:
    expressions = {rule["alert"]: rule["expr"] for rule in alerts}
    for name, expression in expressions.items():
        if expression.startswith("time() - ") and name not in TWINS:
            metric = re.search(r"quantbus_\w+", expression)
            assert metric
            assert expressions[f"{name}Unknown"].startswith(f"absent({metric.group()})"), name
    assert set(TWINS) | set(TWINS.values()) <= set(expressions)


def test_what_depends_on_something_says_one_of_the_words_that_inhibition_knows(alerts: list[Rule]) -> None:
    words = {rule["labels"].get("depends_on", "nothing") for rule in alerts}
    assert words == {"bus", "monitor", "bot", "nothing"}
    for cause in ("BusDown", "MonitorDown", "MonitorLoopStale", "Watchdog"):
        [rule] = [rule for rule in alerts if rule["alert"] == cause]
        assert "depends_on" not in rule["labels"], f"{cause} would silence itself"


def test_every_rule_file_is_tested_by_its_namesake(promtool: str, root: Path) -> None:
    for file in sorted((root / FOLDER / "rules").glob("*.yml")):
        tests = root / FOLDER / "tests" / file.name
        assert str(Path("..") / "rules" / file.name) in yaml.safe_load(tests.read_text())["rule_files"]
        command = [promtool, "test", "rules", str(tests)]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
