"""From a dashboard's values to the JSON that Grafana is provisioned with."""

import json
from collections.abc import Iterator
from typing import Any

from quantbus_services.monitor.dashboards.model import Dashboard, Panel, Query, Row, Variable

__all__ = ["rendered"]

_SCHEMA = 41
"""Grafana 11.6's; a newer one migrates it when it is opened."""
_WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_TAG = "quantbus"
_REFS = "ABCDEFGHIJ"

Json = dict[str, Any]


def rendered(dashboard: Dashboard) -> str:
    """Return the file of a dashboard, the same text for the same dashboard."""
    page = {
        "uid": f"quantbus-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.says,
        "tags": [_TAG],
        "schemaVersion": _SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,  # one cross-hair for all panels
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [_link()],
        "templating": {"list": [_source_variable(), *(_variable(item) for item in dashboard.variables)]},
        "annotations": {"list": []},
        "panels": list(_panels(dashboard.rows)),
    }
    return json.dumps(page, indent=2, ensure_ascii=False) + "\n"


def _link() -> Json:
    """To the other dashboards, for the same time and the same choice."""
    return {
        "title": "quantbus",
        "type": "dashboards",
        "tags": [_TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _source_variable() -> Json:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "skipUrlSync": False,
        "options": [],
    }


def _variable(variable: Variable) -> Json:
    asked = f"label_values({variable.label})"
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": asked, "refId": variable.name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
        "regex": "",
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "skipUrlSync": False,
        "options": [],
    }


def _panels(rows: tuple[Row, ...]) -> Iterator[Json]:
    """Lay the rows below each other, and the panels of a row side by side as long as there is room."""
    y = number = 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": _WIDTH, "h": 1},
            "panels": [],
        }
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > _WIDTH:
                x, y, height = 0, y + height, 0
            number += 1
            yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": panel.height})
            x, height = x + panel.width, max(height, panel.height)
        y += height


def _panel(panel: Panel, number: int, place: Json) -> Json:
    made: Json = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "gridPos": place,
        "datasource": _SOURCE,
        "targets": [_target(panel, query, ref) for query, ref in zip(panel.queries, _REFS, strict=False)],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
    }
    if panel.kind == "table":
        made["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
    return made


def _target(panel: Panel, query: Query, ref: str) -> Json:
    now = panel.kind != "timeseries"
    return {
        "refId": ref,
        "datasource": _SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": now,
        "range": not now,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _field(panel: Panel) -> Json:
    """How values look; a base colour that says nothing where the panel has no limits."""
    judged = bool(panel.steps)
    steps: list[Json] = [{"color": "green" if judged else "text", "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in panel.steps]
    coloured = "palette-classic" if panel.kind == "timeseries" else "thresholds"
    made: Json = {
        "unit": panel.unit,
        "noValue": panel.unknown,
        "color": {"mode": coloured},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": [],
    }
    if panel.words:
        told = {str(value): {"text": text, "color": colour} for value, text, colour in panel.words}
        made["mappings"] = [{"type": "value", "options": told}]
    if panel.kind == "timeseries":
        made["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if panel.stacked else 0,
            "showPoints": "auto",
            "spanNulls": False,  # what was not known stays a gap
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if judged else "off"},
        }
    return made


def _options(panel: Panel) -> Json:
    if panel.kind == "stat":
        return {
            "colorMode": "background" if panel.steps or panel.words else "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto",
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        }
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
