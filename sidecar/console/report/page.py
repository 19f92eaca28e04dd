"""The report as one HTML file: styles and plots inline, no script, nothing from elsewhere; prints well."""

import functools
from collections.abc import Callable
from pathlib import Path

import jinja2
from markupsafe import Markup

from sidecar.console import plots
from sidecar.console.report.report import Report
from sidecar.console.report.sections import sections, title, tone

_FOLDER = Path(__file__).parent
_PLOTS = _FOLDER.parent / "page" / "styles" / "plots.css"


def page(told: Report) -> str:
    """Return the whole file."""
    return _template().render(
        title=title(told),
        tone=tone(told),
        sections=sections(told),
        plots=_drawn(told),
        styles=Markup((_FOLDER / "report.css").read_text() + _PLOTS.read_text()),  # noqa: S704 - our own files
    )


def _drawn(told: Report) -> dict[str, Markup]:
    plot = plots.Plot(key="over-time", from_ms=told.complete_from_ms, until_ms=told.until_ms, events=told.events)

    def keyed(key: str) -> plots.Plot:
        return plots.Plot(key=key, from_ms=plot.from_ms, until_ms=plot.until_ms, events=plot.events)

    edges, objective = told.latency_edges_ms, told.policy.on_time_within_ms
    draws: dict[str, Callable[[tuple[int, int]], Markup]] = {
        "modes": lambda size: plots.modes(keyed("modes"), told.spans, size),
        "outcomes": lambda size: plots.outcomes(keyed("outcomes"), told.hours, size),
        "latency": lambda size: plots.latency(keyed("latency"), told.hours, edges, objective, size),
        "histogram": lambda size: plots.histogram("histogram", edges, told.whole.latency, objective, size),
    }
    return {name: plots.responsive(draw) for name, draw in draws.items()}


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html")
