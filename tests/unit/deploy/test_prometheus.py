"""The alert rules: valid, tested, about metrics that exist, and with a runbook behind each."""

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from quantbus_contracts.runtime.metrics import new_registry
from quantbus_contracts.schema import Disagreement, DisagreementKind
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.gaps.metrics import GapMetrics
from quantbus_services.ingestion.series import Series
from quantbus_services.monitor.metrics import BotMetrics, ChainMetrics, LoopMetrics
from quantbus_services.monitor.positions import MISMATCH_KINDS

Rule = dict[str, Any]
FOLDER = Path("deploy/prometheus")


def exported() -> bytes:
    """Return the text that monitor and ingestion serve once every metric has a value."""
    registry = new_registry("monitor", "0.1.0")
    loop, chain, bot = LoopMetrics(registry), ChainMetrics(registry), BotMetrics(registry)
    for gauge in (chain.candle_last, chain.candle_due):
        gauge.labels("BINANCE:BTCUSDT", "1m").set(1.0)
    for gauge in (chain.run_last, chain.run_due, chain.signal_last):
        gauge.labels("demo").set(1.0)
    chain.heartbeat.labels("ingestion", "main").set(1.0)
    loop.clock_offset.labels("bus").set(0.001)
    loop.findings.labels("candle_stale").set(0)
    loop.check_failures.labels("candle_stale").inc()
    chain.publish_delay.labels("demo").observe(1.0)
    chain.consume_delay.labels("bot").observe(1.0)
    chain.refused.labels("bot", "stale").inc()
    for kind in MISMATCH_KINDS:
        bot.mismatches.labels(kind).set(0)
    return generate_latest(registry) + generate_latest(exported_by_ingestion())


def exported_by_ingestion() -> CollectorRegistry:
    """Return what live ingestion serves about gaps and second sources."""
    registry = CollectorRegistry()
    metrics = GapMetrics(registry)
    series = Series(Instrument.from_pair("BINANCE", "BTC/USDT"), Timeframe.parse("1m"))
    metrics.standing(series, [])
    metrics.stood_in(series, 1)
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    metrics.disagreed(
        Disagreement(
            symbol=series.instrument.symbol,
            timeframe="1m",
            open_time=moment,
            kind=DisagreementKind.CLOSE,
            source="binance",
            other_source="fallback:OKX:BTCUSDT",
            close=1.0,
            other_close=2.0,
            volume=1.0,
            other_volume=1.0,
            seen_at=moment,
        )
    )
    return registry


def run(command: list[str], *, given: bytes | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, told
    return told


@pytest.fixture(scope="module")
def rules(root: Path) -> list[Rule]:
    files = sorted((root / FOLDER / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def test_promtool_accepts_the_configuration_and_its_rules(promtool: str, root: Path) -> None:
    told = run([promtool, "check", "config", str(root / FOLDER / "prometheus.yml")])
    assert "rules found" in told


def test_promtool_finds_nothing_to_complain_about_in_the_rules(promtool: str, root: Path) -> None:
    for file in sorted((root / FOLDER / "rules").glob("*.yml")):
        run([promtool, "check", "rules", "--lint=all", "--lint-fatal", str(file)])


def test_every_rule_file_passes_its_unit_tests(promtool: str, root: Path) -> None:
    for file in sorted((root / FOLDER / "rules").glob("*.yml")):
        tests = root / FOLDER / "tests" / file.name
        assert str(Path("..") / "rules" / file.name) in yaml.safe_load(tests.read_text())["rule_files"]
        run([promtool, "test", "rules", str(tests)])


def test_promtool_finds_nothing_to_complain_about_in_our_metrics(promtool: str) -> None:
    assert run([promtool, "check", "metrics"], given=exported()) == ""


def test_every_alert_is_tested_to_fire_and_to_hold_off(root: Path, rules: list[Rule]) -> None:
    tried: dict[str, set[bool]] = {}
    for file in sorted((root / FOLDER / "tests").glob("*.yml")):
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                tried.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert tried == {rule["alert"]: {True, False} for rule in rules}


def test_every_metric_that_a_rule_names_is_one_that_we_export(rules: list[Rule]) -> None:
    known = set(re.findall(r"^(quantbus_\w+)", exported().decode(), flags=re.MULTILINE))
    named = {name for rule in rules for name in re.findall(r"quantbus_\w+", rule["expr"])}
    assert named
    assert named <= known


def test_every_alert_says_how_bad_it_is_and_what_it_means(rules: list[Rule]) -> None:
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert {"summary", "description", "runbook_url"} <= set(rule["annotations"]), rule["alert"]
        assert rule["for"], rule["alert"]


def test_every_alert_has_a_runbook_with_a_section_of_its_own(root: Path, rules: list[Rule]) -> None:
    for rule in rules:
        page = rule["annotations"]["runbook_url"].partition("#")[0]
        headings = re.findall(r"^## (\w+)$", (root / page).read_text(), flags=re.MULTILINE)
        assert rule["alert"] in headings, f"{page} has no section {rule['alert']}"


def test_every_alert_about_something_late_has_a_twin_for_when_nobody_knows(rules: list[Rule]) -> None:
    expressions = {rule["alert"]: rule["expr"] for rule in rules}
    for name, expression in expressions.items():
        if expression.startswith("time() - "):
            metric = re.search(r"quantbus_\w+", expression)
            assert metric
            assert expressions.get(f"{name}Unknown") == f"absent({metric.group()})"
