"""Constructors of panels in Grafana's classic JSON; names are those of its published schema (`@grafana/schema`)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from sidecar.core.facts.policy import Mode
from sidecar.dashboards.queries import Query, cells
from sidecar.wording import Wording, mode_name

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GOOD, ODD, BAD, CALM, UNKNOWN = "green", "orange", "red", "blue", "text"
MODE_COLOURS: Final = {Mode.TIMER_POLLING: CALM, Mode.PUSH_WITH_SAFETY_NET: "light-green", Mode.PUSH_ONLY: "dark-green"}

_BAR: Final = "1m"
"""Shortest step of counts: `$__rate_interval` spans four scrapes, so shorter steps show an event in several bars."""
_COLUMNS_MAX: Final = 150
"""With more columns a single payment of a quiet day is too narrow to be visible."""

Json = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]
"""Colours by lower bound; the first has no bound and is the base colour."""


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """One panel, without its position."""

    kind: str
    title: str
    description: str
    queries: tuple[Query, ...]
    width: int = 8
    """In columns, of 24."""
    height: int = 8
    alert: str = ""
    """The alert with the same question; its limit is drawn as a threshold if it has one."""
    details: str = ""
    """The uid of the dashboard with more details."""
    unit: str = ""
    defaults: Mapping[str, Any] = {}
    """More defaults of the field: thresholds, mappings and drawing options."""
    overrides: tuple[Json, ...] = ()
    options: Mapping[str, Any] = {}
    transformations: tuple[Json, ...] = ()
    step_min: str = ""
    """Minimum step; empty: one scrape."""
    steps_max: int | None = None
    """Maximum number of steps in the time range; None: one for each pixel."""


def thresholds(steps: Steps) -> Json:
    """Return thresholds in the format of a field."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def words(meanings: Mapping[str, tuple[str, str]]) -> list[Json]:
    """Return a mapping of values to texts and colours."""
    options = {
        value: {"text": text, "color": colour, "index": index}
        for index, (value, (text, colour)) in enumerate(meanings.items())
    }
    return [{"type": "value", "options": options}]


MODE_WORDS: Final = words({str(mode.rank): (mode_name(mode), MODE_COLOURS[mode]) for mode in Mode})
"""Modes by rank."""


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
    """Return a single number, coloured by thresholds or by its mapping."""
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
    unit: str = "short",
    steps: Steps = (),
    limits: tuple[str, ...] = (),
    colours: Mapping[str, str] = {},
    wording: Mapping[Any, Wording] = {},
    is_stacked: bool = False,
    **more: Any,
) -> Panel:
    """Return lines over time, or stacked bars. Series with names that match `limits` are drawn as dashed limits.

    `colours` sets the colour of series by name, `wording` their displayed names. By default Grafana colours series in alphabetical order, and `late` would
    be green.
    """
    drawn: Json = {
        "drawStyle": "bars" if is_stacked else "line",
        "fillOpacity": 60 if is_stacked else 8,
        "lineInterpolation": "stepAfter",
        "lineWidth": 1,
        "showPoints": "auto",  # an isolated value between two gaps has no line
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
            *_displayed(wording, colours),
            *more.pop("overrides", ()),
        ),
        step_min=_BAR if is_stacked else "",
        options={
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"hideZeros": is_stacked, "mode": "multi", "sort": "desc"},
        },
        **more,
    )


def counts(title: str, description: str, *queries: Query, **more: Any) -> Panel:
    """Return stacked bars of counts."""
    return graph(title, description, *queries, is_stacked=True, **more)


def _displayed(wording: Mapping[Any, Wording], colours: Mapping[str, str] = {}) -> Iterator[Json]:
    """Yield overrides for series with a label in the wording tables, or with a fixed colour."""
    for name in {**colours, **wording}:
        colour = [{"id": "color", "value": {"mode": "fixed", "fixedColor": colours[name]}}] if name in colours else []
        label = [{"id": "displayName", "value": wording[name].label}] if name in wording else []
        yield {"matcher": {"id": "byName", "options": str(name)}, "properties": [*colour, *label]}


def _limit(name: str) -> Json:
    return {
        "matcher": {"id": "byRegexp", "options": name},
        "properties": [
            {"id": "color", "value": {"mode": "fixed", "fixedColor": BAD}},
            {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [10, 10]}},
            {"id": "custom.fillOpacity", "value": 0},
        ],
    }


def states(
    title: str,
    description: str,
    *queries: Query,
    meanings: list[Json],
    wording: Mapping[Any, Wording] = {},
    **more: Any,
) -> Panel:
    """Return a state timeline with one row for each series; `wording` has the displayed names of the series."""
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
        overrides=tuple(_displayed(wording)),
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
    """Return a histogram over time, with one row for each bucket.

    `edges` are axis labels for upper bounds of buckets, in seconds, because Grafana's heat map draws no thresholds. The
    name of a row is its `le`, which the client writes as a float: `2` or `2.0`.
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
    """Return the last values as a table: one row for each value of the label `key`, one column for each query.

    `columns` maps fields to column names, in order; `Value #A` is the field of the first query.
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


def count_table(title: str, description: str, key: str, head: str, columns: Mapping[str, str], **more: Any) -> Panel:
    """Return a table of whole numbers: one row for each value of the label `key`, one column for each expression.

    `head` is the name of the first column, `columns` the expressions by the names of the others.
    """
    fields = ["Value"] if len(columns) == 1 else [f"Value #{chr(ord('A') + index)}" for index in range(len(columns))]
    queries = (cells(expr) for expr in columns.values())
    names = {key: head, **dict(zip(fields, columns, strict=True))}
    return table(title, description, *queries, columns=names, key=key, unit="short", defaults={"decimals": 0}, **more)


def drawn(panel: Panel, *, number: int, x: int, y: int, runbooks: str, console: str) -> Json:
    """Return the JSON of a panel at its position; `console` is the path of the console's page about the same."""
    description = panel.description
    links = [_link(panel.details)] if panel.details else []
    if panel.alert:
        page = f"{runbooks}{panel.alert}.md"
        is_address = page.startswith(("http://", "https://"))
        description += f"\n\nAlert: [{panel.alert}]({page})" if is_address else f"\n\nAlert: {panel.alert}, see {page}"
        links += [_outside("Runbook", page)] if is_address else []
    links.append(_outside("Console", f"${{console}}{console}"))
    unit = {"unit": panel.unit} if panel.unit else {}
    defaults = {"color": {"mode": "thresholds"}, "thresholds": thresholds(((None, GOOD),)), **unit, **panel.defaults}
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
    return _outside("More", f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}") | {"targetBlank": False}


def _outside(title: str, url: str) -> Json:
    return {
        "title": title,
        "type": "link",
        "url": url,
        "icon": "external link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
    }
