"""A dashboard: sections of panels, their layout, and the shared variables, links and annotations."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sidecar.dashboards.panels import DATASOURCE, Json, Panel, drawn
from sidecar.dashboards.queries import series
from sidecar.dashboards.terms import Shown
from sidecar.metrics import PREFIX

COLUMNS: Final = 24
SCHEMA_VERSION: Final = 42
TAG: Final = "reverb-sidecar"
_ANNOTATION_STEP: Final = "5m"
"""Step of annotation queries: Prometheus rejects more than 11 000 points, which a month of shorter steps would exceed."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A dashboard."""

    name: str
    """Name of the file; with the tag as prefix, the uid."""
    title: str
    description: str
    sections: tuple[Section, ...]
    hours: int = 24
    """Time range when the dashboard is opened."""
    console: str = "/"
    """The path of the console's page about the same."""

    @property
    def uid(self) -> str:
        """Stable name in URLs."""
        return uid_of(self.name)

    def document(self, shown: Shown) -> Json:
        """Return the dashboard's JSON."""
        return {
            "uid": self.uid,
            "title": f"Reverb Sidecar / {self.title}",
            "description": self.description,
            "tags": [TAG],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "timezone": "browser",
            "time": {"from": f"now-{self.hours}h", "to": "now"},
            "timepicker": {"refresh_intervals": ["5s", "15s", "30s", "1m", "5m", "15m"]},
            "templating": {"list": list(_variables(shown))},
            "links": list(_links()),
            "annotations": {"list": list(_annotations())},
            "panels": list(_laid_out(self, shown)),
        }


def uid_of(name: str) -> str:
    """Return the uid of a dashboard."""
    return f"{TAG}-{name}"


def _laid_out(board: Board, shown: Shown) -> Iterator[Json]:
    """Yield panels placed from left to right; a panel that does not fit begins a new line."""
    numbers = itertools.count(1)
    y = 0
    for section in board.sections:
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        yield {
            "id": next(numbers),
            "type": "row",
            "title": section.title,
            "collapsed": False,
            "gridPos": place,
            "panels": [],
        }
        y += 1
        x = line = 0
        for panel in section.panels:
            if x + panel.width > COLUMNS:
                x, y, line = 0, y + line, 0
            yield drawn(panel, number=next(numbers), x=x, y=y, runbooks=shown.rules.runbooks, console=board.console)
            x, line = x + panel.width, max(line, panel.height)
        y += line


def _variables(shown: Shown) -> Iterator[Json]:
    yield {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "default", "value": "default"},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
    }
    info = f"{PREFIX}build_info"
    yield _values("environment", "Environment", info, all_value=".*")
    yield _values("job", "Job", f'{info}{{environment=~"$environment"}}', all_value=".+")
    yield _values("instance", "Instance", f'{info}{{environment=~"$environment", job=~"$job"}}', all_value=".+")
    yield {
        "name": "console",
        "label": "Console",
        "description": "URL of the operator listener, as reached by your browser",
        "type": "textbox",
        "query": shown.console,
        "current": {"text": shown.console, "value": shown.console},
        "options": [{"selected": True, "text": shown.console, "value": shown.console}],
        "hide": 2,
    }


def _values(name: str, label: str, selector: str, *, all_value: str) -> Json:
    query = f"label_values({selector}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "allValue": all_value,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "includeAll": True,
        "multi": True,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 1,
    }


def _links() -> Iterator[Json]:
    yield {
        "title": "Reverb Sidecar",
        "type": "dashboards",
        "tags": [TAG],
        "icon": "external link",
        "tooltip": "The other dashboards, with the same time range and replicas",
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }
    yield {
        "title": "Console",
        "type": "link",
        "url": "${console}/",
        "tags": [],
        "icon": "dashboard",
        "tooltip": "The sidecar's own page, with the reason for every decision",
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
    }


def _annotations() -> Iterator[Json]:
    grafana = {"type": "grafana", "uid": "-- Grafana --"}
    yield {
        "builtIn": 1,
        "datasource": grafana,
        "enable": True,
        "hide": True,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    }
    yield {
        "datasource": grafana,
        "enable": True,
        "hide": False,
        "iconColor": "light-blue",
        "name": "Notifications",
        "target": {"type": "tags", "tags": [TAG], "matchAny": False, "limit": 100},
    }
    moves = f"sum by (from_mode, to_mode, cause) ({_changed('flag_transitions_total')}) > 0"
    yield _annotation("Moves", "purple", moves, "{{cause}}", "{{from_mode}} to {{to_mode}}")
    yield _annotation(
        "Suspensions",
        "orange",
        f"{_changed('suspensions_total')} > 0",
        "suspended: {{reason}}",
        "all payers get timers, the rung is kept",
    )
    yield _annotation(
        "Releases",
        "yellow",
        f"{_changed('app_release_timestamp_seconds')} > 0",
        "release",
        "another release of the app: see the console",
    )
    new = f"max by (version) ({series('build_info')}) unless max by (version) (last_over_time({series('build_info')}[1d] offset {_ANNOTATION_STEP}))"
    yield _annotation("Sidecar versions", "blue", new, "sidecar {{version}}", "a new version")


def _changed(metric: str) -> str:
    return f"max without (instance, pod) (changes({series(metric)}[{_ANNOTATION_STEP}]))"


def _annotation(name: str, colour: str, expr: str, title: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": _ANNOTATION_STEP,
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "",
        "useValueForTime": False,
    }
