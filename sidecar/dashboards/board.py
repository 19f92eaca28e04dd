"""A dashboard: panels in sections, laid out, with the variables, links and annotations that all of them share."""

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
_SEEN_EVERY: Final = "5m"
"""Annotations are asked for in such steps: more of them than 11 000, which a month of shorter ones would be, is refused."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """A dashboard."""

    name: str
    """Of its file; with the tag before it, its uid."""
    title: str
    description: str
    sections: tuple[Section, ...]
    hours: int = 24
    """How much time it shows when it is opened."""

    @property
    def uid(self) -> str:
        """Its name in addresses, which never changes."""
        return uid_of(self.name)

    def document(self, shown: Shown) -> Json:
        """Return its JSON."""
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
            "panels": list(_laid_out(self.sections, shown)),
        }


def uid_of(name: str) -> str:
    """Return a dashboard's uid."""
    return f"{TAG}-{name}"


def _laid_out(sections: tuple[Section, ...], shown: Shown) -> Iterator[Json]:
    """Place panels from left to right and from top to bottom; what has no room begins a new line."""
    numbers = itertools.count(1)
    y = 0
    for section in sections:
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
            yield drawn(panel, number=next(numbers), x=x, y=y, runbooks=shown.rules.runbooks)
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
        "description": "The operator listener, as your browser finds it",
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
        "tooltip": "The other dashboards, at the same time and of the same replicas",
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
        "tooltip": "Why it is so, decision by decision: the sidecar's own page",
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
    moves = f"sum by (from_mode, to_mode, cause) ({_seen('flag_transitions_total')}) > 0"
    yield _annotation("Moves", "purple", moves, "{{cause}}", "{{from_mode}} to {{to_mode}}")
    yield _annotation(
        "Suspensions",
        "orange",
        f"{_seen('suspensions_total')} > 0",
        "suspension",
        "timers for a while, the rung is kept",
    )
    yield _annotation(
        "Releases",
        "yellow",
        f"{_seen('app_release_timestamp_seconds')} > 0",
        "release",
        "another release of the app: the console says which",
    )
    new = f"max by (version) ({series('build_info')}) unless max by (version) (last_over_time({series('build_info')}[1d] offset {_SEEN_EVERY}))"
    yield _annotation("Sidecar's versions", "blue", new, "sidecar {{version}}", "a version that was not there before")


def _seen(metric: str) -> str:
    return f"max without (instance, pod) (changes({series(metric)}[{_SEEN_EVERY}]))"


def _annotation(name: str, colour: str, expr: str, title: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": _SEEN_EVERY,
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "",
        "useValueForTime": False,
    }
