"""Panels as Grafana's classic JSON has them; the words are those of its published schema (`@grafana/schema`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from sidecar.core.facts.policy import Mode
from sidecar.dashboards.queries import Query
from sidecar.dashboards.terms import MODES

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GOOD, ODD, BAD, CALM, UNKNOWN = "green", "orange", "red", "blue", "text"
MODE_COLOURS: Final = {Mode.TIMER_POLLING: CALM, Mode.PUSH_WITH_SAFETY_NET: "light-green", Mode.PUSH_ONLY: "dark-green"}

_BAR: Final = "1m"
"""A count of shorter steps, whose window is four scrapes, would show each event in several bars."""
_COLUMNS_MAX: Final = 150
"""In more columns than this, one payment of a quiet day is too thin to be seen."""

Json = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]
"""From which value on which colour; the first has no value, and is the colour of everything below."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel, wherever it will stand."""

    kind: str
    title: str
    description: str
    queries: tuple[Query, ...]
    width: int = 12
    """Of 24 columns."""
    height: int = 8
    alert: str = ""
    """The alert whose threshold is drawn, or that asks the same question."""
    details: str = ""
    """The dashboard that says more, by its uid."""
    unit: str = ""
    defaults: Mapping[str, Any] = {}
    """More of the field's defaults: thresholds, mappings, and what the kind draws by."""
    overrides: tuple[Json, ...] = ()
    options: Mapping[str, Any] = {}
    transformations: tuple[Json, ...] = ()
    step_min: str = ""
    """No shorter step is asked for, however short the time shown; empty: than a scrape."""
    steps_max: int | None = None
    """Into how many steps the time shown is cut at most; None: as many as there are pixels."""


def thresholds(steps: Steps) -> Json:
    """Return thresholds as fields have them."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def words(meanings: Mapping[str, tuple[str, str]]) -> list[Json]:
    """Return a mapping of values to words and colours."""
    options = {
        value: {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(meanings.items())
    }
    return [{"type": "value", "options": options}]


MODE_WORDS: Final = words({str(mode.rank): (MODES[mode], MODE_COLOURS[mode]) for mode in Mode})
"""A mode by its rank."""


def stat(
    title: str,
    description: str,
    query: Query,
    *,
    unit: str,
    steps: Steps,
    meanings: list[Json] | None = None,
    **more: Any,
) -> Panel:
    """Return one number, coloured by what it means."""
    fields = {"width": 4, "height": 5} | more
    shown = fields.pop("defaults", {})
    return Panel(
        kind="stat",
        title=title,
        description=description,
        queries=(query,),
        unit=unit,
        defaults={
            "color": {"mode": "thresholds"},
            "thresholds": thresholds(steps),
            "mappings": meanings or [],
            **shown,
        },
        options={
            "colorMode": "value",
            "graphMode": "none" if query.is_instant or meanings else "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "value",
            "wideLayout": True,
        },
        **fields,
    )


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    steps: Steps = (),
    limits: tuple[str, ...] = (),
    colours: Mapping[str, str] = {},
    is_stacked: bool = False,
    **more: Any,
) -> Panel:
    """Return lines over time, or stacked bars of counts. Series that `limits` name are drawn as dashed limits.

    `colours` are those of series whose names have a meaning; Grafana would give the first of the alphabet green, which is `late`.
    """
    drawn: Json = {
        "drawStyle": "bars" if is_stacked else "line",
        "fillOpacity": 60 if is_stacked else 8,
        "lineInterpolation": "stepAfter",
        "lineWidth": 1,
        "showPoints": "auto",  # on a quiet day every value stands alone, and between two gaps there is no line
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if is_stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if steps else "off"},
    }
    shown = {"min": 0} | more.pop("defaults", {})
    return Panel(
        kind="timeseries",
        title=title,
        description=description,
        queries=queries,
        unit=unit,
        defaults={
            "color": {"mode": "palette-classic"},
            "custom": drawn,
            "thresholds": thresholds(steps or ((None, GOOD),)),
            **{name: value for name, value in shown.items() if value is not None},
        },
        overrides=(
            *(_limit(name) for name in limits),
            *(_coloured(name, colour) for name, colour in colours.items()),
        ),
        step_min=_BAR if is_stacked else "",
        options={
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"hideZeros": is_stacked, "mode": "multi", "sort": "desc"},
        },
        **more,
    )


def _coloured(name: str, colour: str) -> Json:
    properties = [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def _limit(name: str) -> Json:
    return {
        "matcher": {"id": "byRegexp", "options": name},
        "properties": [
            {"id": "color", "value": {"mode": "fixed", "fixedColor": BAD}},
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}},
            {"id": "custom.fillOpacity", "value": 0},
        ],
    }


def states(title: str, description: str, *queries: Query, meanings: list[Json], **more: Any) -> Panel:
    """Return what was so, and when: one row per series."""
    return Panel(
        kind="state-timeline",
        title=title,
        description=description,
        queries=queries,
        unit="none",
        defaults={
            "color": {"mode": "thresholds"},
            "custom": {"fillOpacity": 80, "lineWidth": 0},
            "mappings": meanings,
            "thresholds": thresholds(((None, UNKNOWN),)),
        },
        options={
            "alignValue": "left",
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
            "mergeValues": True,
            "rowHeight": 0.85,
            "showValue": "auto",
            "tooltip": {"hideZeros": False, "mode": "single", "sort": "none"},
        },
        **more,
    )


def heat_map(
    title: str, description: str, query: Query, *, edges: Mapping[float, str] | None = None, **more: Any
) -> Panel:
    """Return a histogram over time; its rows are the histogram's own buckets.

    `edges` are words for buckets' upper edges in seconds: the axis says them at their lines, for Grafana's heat map
    draws no thresholds. A row's name is its `le`, which the client writes as a float: `2` or `2.0`.
    """
    return Panel(
        kind="heatmap",
        title=title,
        description=description,
        queries=(query,),
        unit="short",
        defaults={"custom": {"scaleDistribution": {"type": "linear"}}},
        options={
            "calculate": False,
            "cellGap": 1,
            "cellValues": {"decimals": 0, "unit": "short"},
            "color": {
                "exponent": 0.5,
                "fill": "dark-orange",
                "mode": "scheme",
                "reverse": False,
                "scale": "exponential",
                "scheme": "Oranges",
                "steps": 64,
            },
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
        },
        transformations=tuple(_named(f"{edge:g}", words) for edge, words in (edges or {}).items()),
        steps_max=_COLUMNS_MAX,
        **more,
    )


def _named(edge: str, words: str) -> Json:
    options = {"regex": f"{edge.replace('.', '[.]')}([.]0)?", "renamePattern": words}
    return {"id": "renameByRegex", "options": options}


def table(title: str, description: str, *queries: Query, columns: Mapping[str, str], key: str, **more: Any) -> Panel:
    """Return the last values as a table: one row per value of the label `key`, one column per query.

    `columns` are the names of the columns in their order, by field; `Value #A` is the first query's.
    """
    joined = [{"id": "joinByField", "options": {"byField": key, "mode": "outer"}}] if len(queries) > 1 else []
    return Panel(
        kind="table",
        title=title,
        description=description,
        queries=queries,
        options={"cellHeight": "sm", "frameIndex": 0, "showHeader": True},
        transformations=(
            *joined,
            {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {},
                    "indexByName": {field: index for index, field in enumerate(columns)},
                    "renameByName": dict(columns),
                },
            },
        ),
        **more,
    )


def drawn(panel: Panel, *, number: int, x: int, y: int, runbooks: str) -> Json:
    """Return a panel's JSON at its place."""
    description = panel.description
    if panel.alert:
        page = f"{runbooks}{panel.alert}.md"
        is_address = page.startswith(("http://", "https://"))
        description += f"\n\nAlert: [{panel.alert}]({page})" if is_address else f"\n\nAlert: {panel.alert}, see {page}"
    unit = {"unit": panel.unit} if panel.unit else {}
    defaults = {"color": {"mode": "thresholds"}, "thresholds": thresholds(((None, GOOD),)), **unit, **panel.defaults}
    links = [_link(panel.details)] if panel.details else []
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": defaults, "overrides": list(panel.overrides)},
        "options": dict(panel.options),
        "targets": [_target(query, index) for index, query in enumerate(panel.queries)],
        "transformations": list(panel.transformations),
        "links": links,
        **({"interval": panel.step_min} if panel.step_min else {}),
        **({"maxDataPoints": panel.steps_max} if panel.steps_max is not None else {}),
    }


def _target(query: Query, index: int) -> Json:
    return {
        "refId": chr(ord("A") + index),
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "format": query.form,
        "legendFormat": query.legend or "__auto",
        "instant": query.is_instant,
        "range": not query.is_instant,
        "exemplar": query.has_exemplars,
    }


def _link(uid: str) -> Json:
    return {
        "title": "More",
        "type": "link",
        "url": f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}",
        "icon": "external link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
    }
