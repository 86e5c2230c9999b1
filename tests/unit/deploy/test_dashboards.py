"""Grafana's dashboards: what the code makes, about metrics that exist, in PromQL that Prometheus reads."""

import importlib
import itertools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from quantbus_contracts.cli.root import build
from quantbus_contracts.runtime.metrics import PUBLISH_OUTCOMES
from quantbus_services.monitor.checks import CHECKS
from quantbus_services.monitor.dashboards import DASHBOARDS, files
from quantbus_services.monitor.dashboards.latency import HOPS
from tests.unit.deploy.exporting import PROCESSES, exported_by

Json = dict[str, Any]
FOLDER = Path("deploy/grafana")
PROMETHEUS_OWN = {"ALERTS": {"alertname", "alertstate", "severity"}, "up": set[str]()}
OF_A_SCRAPE = {"job", "instance", "exported_instance", "le"}
METRIC = r"(?<![\w:$])(?:(?:\w+:)?quantbus_\w+(?::\w+)?|ALERTS|up)(?![\w:(-])"


@pytest.fixture(scope="module")
def pages() -> dict[str, Json]:
    return {name: json.loads(text) for name, text in files().items()}


def panels_of(page: Json) -> list[Json]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def queries(pages: dict[str, Json]) -> Iterator[tuple[str, str]]:
    """Give every query with the place where it stands."""
    for name, page in pages.items():
        for panel in panels_of(page):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def exported() -> dict[str, set[str]]:
    """Return what our processes export: the name of every sample and its labels."""
    known: dict[str, set[str]] = {}
    for process in PROCESSES:
        text, metrics = exported_by(process)
        samples = set(re.findall(r"^(quantbus_\w+)", text.decode(), re.MULTILINE))
        for metric in metrics:
            endings = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
            for name in samples & {metric.name + ending for ending in endings}:
                known[name] = {*metric.labels}
    known["quantbus_build_info"] |= {"process", "version"}
    return known


def recorded(root: Path) -> dict[str, str]:
    """Return the recording rules: what each is computed from, by its name."""
    rules = [
        rule
        for file in (root / "deploy/prometheus/rules").glob("*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    ]
    return {rule["record"]: rule["expr"] for rule in rules if "record" in rule}


def without_texts(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)


def test_the_files_that_ship_are_what_the_code_makes(root: Path) -> None:
    shipped = {
        file.name: file.read_text(encoding="utf-8") for file in (root / FOLDER / "dashboards").iterdir()
    }
    assert shipped == dict(files()), "quantbus monitor dashboards --out deploy/grafana/dashboards"


def test_the_command_writes_them_readable_for_grafana(tmp_path: Path) -> None:
    words = ["monitor", "dashboards", "--out", str(tmp_path / "new")]
    result = CliRunner().invoke(build(words), words)
    assert result.exit_code == 0, result.output
    written = {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "new").iterdir()}
    assert written == dict(files())
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "new").iterdir()} == {0o644}


def test_every_metric_that_a_panel_names_is_one_that_we_export(root: Path, pages: dict[str, Json]) -> None:
    known = set(exported()) | set(recorded(root)) | set(PROMETHEUS_OWN)
    for place, expression in queries(pages):
        named = set(re.findall(METRIC, without_texts(expression)))
        assert named, place
        assert named <= known, place


def test_every_metric_that_we_export_is_on_some_panel(pages: dict[str, Json]) -> None:
    text = " ".join(expression for _, expression in queries(pages))
    shown = set(re.findall(METRIC, without_texts(text)))
    families = {metric.name for process in PROCESSES for metric in exported_by(process)[1]}
    unseen = {
        name for name in families if not shown & {name, *(f"{name}_{end}" for end in ("bucket", "sum"))}
    }
    assert unseen == set()


def test_every_label_that_a_panel_asks_for_is_one_that_its_metric_has(pages: dict[str, Json]) -> None:
    known = exported() | PROMETHEUS_OWN
    asked = 0
    for place, expression in queries(pages):
        for name, inside in re.findall(rf"({METRIC})\{{([^}}]*)\}}", expression):
            for label in re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", inside):
                asked += 1
                own = {"strategy_id", "consumer_id"} if ":" in name else known[name] | OF_A_SCRAPE
                assert label in own, f"{place}: {name} has no {label}"
    assert asked > 30
    every = set().union(*known.values()) | OF_A_SCRAPE
    for place, expression in queries(pages):
        for inside in re.findall(r"\b(?:by|ignoring|on|without) \(([^)]*)\)", expression):
            assert {word.strip() for word in inside.split(",")} <= every, place


def test_every_legend_names_a_label_that_its_query_leaves(root: Path, pages: dict[str, Json]) -> None:
    rules = recorded(root)
    targets = [target for page in pages.values() for panel in panels_of(page) for target in panel["targets"]]
    for target in targets:
        expression = target["expr"]
        whole = rules.get(expression.partition("{")[0], "") + expression
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert re.search(rf"\b{label}\b", whole), f"{expression} has no {label}"


def test_every_value_that_a_panel_asks_for_is_one_that_the_code_gives(pages: dict[str, Json]) -> None:
    text = " ".join(expression for _, expression in queries(pages))
    assert set(re.findall(r'check="(\w+)"', text)) <= {check.name for check in CHECKS}
    for outcomes in re.findall(r'quantbus_signals_published_total\{outcome=~?"([^"]+)"', text):
        assert set(outcomes.split("|")) <= set(PUBLISH_OUTCOMES)


def test_promtool_reads_every_query(promtool: str, tmp_path: Path, pages: dict[str, Json]) -> None:
    rules = []
    for number, (_, expression) in enumerate(queries(pages)):
        chosen = re.sub(r"\$(strategy|consumer)\b", ".*", expression).replace("$__rate_interval", "1m")
        assert "$" not in chosen, chosen
        rules.append({"record": f"panel:{number}", "expr": chosen})
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(file)], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    assert f"{len(rules)} rules found" in done.stdout.decode()


def test_what_the_reader_may_choose_is_used_and_nothing_else_is(pages: dict[str, Json]) -> None:
    for name, page in pages.items():
        variables = {item["name"] for item in page["templating"]["list"]}
        text = " ".join(target["expr"] for panel in panels_of(page) for target in panel["targets"])
        used = set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"}
        assert used | {"datasource"} == variables, name
        sources = {
            item["datasource"]["uid"] for panel in panels_of(page) for item in (panel, *panel["targets"])
        }
        assert sources == {"${datasource}"}, name


def test_panels_have_places_of_their_own_and_say_what_they_show(pages: dict[str, Json]) -> None:
    assert len({page["uid"] for page in pages.values()}) == len(pages)
    for name, page in pages.items():
        assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"]), name
        for panel in page["panels"]:
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, name
        for one, other in itertools.combinations([panel["gridPos"] for panel in page["panels"]], 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or below, f"{name}: {one} {other}"
        for panel in panels_of(page):
            assert len(panel["description"]) > 3, panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_what_is_unknown_never_looks_like_a_value(pages: dict[str, Json]) -> None:
    """A figure of now is asked for now, and a line does not bridge a gap."""
    for page in pages.values():
        for panel in panels_of(page):
            now = panel["type"] != "timeseries"
            assert all(target["instant"] is now and target["range"] is not now for target in panel["targets"])
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["noValue"], panel["title"]
            assert now or defaults["custom"]["spanNulls"] is False, panel["title"]


def test_no_count_of_what_is_wrong_is_zero_because_nobody_knows(pages: dict[str, Json]) -> None:
    for place, expression in queries(pages):
        assert "vector(" not in expression, f"{place}: a constant would be there even if nothing is known"


def test_the_hops_are_those_of_the_page(root: Path) -> None:
    lines = (root / "docs/monitoring.md").read_text().splitlines()
    start = lines.index("| hop | histogram |") + 2
    told = itertools.takewhile(lambda line: line.startswith("|"), lines[start:])
    assert [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in told] == [
        (name, metric) for name, metric, _, _ in HOPS
    ]


def test_the_page_lists_every_dashboard(root: Path) -> None:
    text = (root / "docs/dashboards.md").read_text(encoding="utf-8")
    told = re.findall(
        r"^\| \[(.+?)\]\(\.\./deploy/grafana/dashboards/(\w+)\.json\) \| (.+) \|$", text, re.MULTILINE
    )
    assert told == [(board.title.removeprefix("quantbus: "), board.name, board.says) for board in DASHBOARDS]


def lost(given: object, kept: object, where: str = "") -> list[str]:
    """Return what of ``given`` is not in ``kept``."""
    if isinstance(given, dict):
        if not isinstance(kept, dict):
            return [where]
        parts = [lost(value, kept.get(key, "(nothing)"), f"{where}.{key}") for key, value in given.items()]
        return list(itertools.chain.from_iterable(parts))
    if isinstance(given, list):
        if not isinstance(kept, list) or len(given) != len(kept):
            return [where]
        return [found for pair in zip(given, kept, strict=True) for found in lost(*pair, f"{where}[]")]
    return [] if given == kept else [f"{where}: {given!r}"]


def through_the_sdk(page: Json) -> Json:
    """Return a dashboard as Grafana's own types understand it: what they do not know is gone."""
    importlib.import_module("grafana_foundation_sdk.cog.plugins").register_default_plugins()
    dashboard = importlib.import_module("grafana_foundation_sdk.models.dashboard").Dashboard.from_json(page)
    encoder = importlib.import_module("grafana_foundation_sdk.cog.encoder").JSONEncoder(sort_keys=True)
    understood: Json = json.loads(encoder.encode(dashboard))
    return understood


def test_grafanas_own_types_know_everything_that_we_write(pages: dict[str, Json]) -> None:
    for name, page in pages.items():
        assert lost(page, through_the_sdk(page)) == [], name


@pytest.mark.parametrize("part", ["panel", "target", "custom", "options"])
def test_what_grafana_does_not_know_would_be_noticed(part: str) -> None:
    page = json.loads(files()["latency.json"])
    panel = next(panel for panel in panels_of(page) if panel["type"] == "timeseries")
    parts = {"panel": panel, "target": panel["targets"][0], "options": panel["options"]}
    (parts | {"custom": panel["fieldConfig"]["defaults"]["custom"]})[part]["misspelt"] = 1
    assert any("misspelt" in found for found in lost(page, through_the_sdk(page)))
