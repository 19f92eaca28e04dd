"""The report as one HTML file: styles and plots inline, without scripts and external resources; printable."""

import functools
from collections.abc import Callable
from pathlib import Path

import jinja2
from markupsafe import Markup

from sidecar.console import plots
from sidecar.console.report.report import Report
from sidecar.console.report.sections import sections, title, tone

_FOLDER = Path(__file__).parent
_STYLES = _FOLDER.parent / "page" / "styles"
_STYLESHEETS = (_STYLES / "colours.css", _FOLDER / "report.css", _STYLES / "plots.css")


def page(report: Report) -> str:
    """Return the whole file."""
    return _template().render(
        title=title(report),
        tone=tone(report),
        sections=sections(report),
        plots=_drawn(report),
        styles=Markup("".join(path.read_text() for path in _STYLESHEETS)),  # noqa: S704 - files of this package
    )


def _drawn(report: Report) -> dict[str, Markup]:
    plot = plots.Plot(key="over-time", from_ms=report.complete_from_ms, until_ms=report.until_ms, events=report.events)

    def keyed(key: str) -> plots.Plot:
        return plots.Plot(key=key, from_ms=plot.from_ms, until_ms=plot.until_ms, events=plot.events)

    edges, objective = report.latency_edges_ms, report.policy.on_time_within_ms
    draws: dict[str, Callable[[tuple[int, int]], Markup]] = {
        "modes": lambda size: plots.modes(keyed("modes"), report.spans, size),
        "outcomes": lambda size: plots.outcomes(keyed("outcomes"), report.hours, size),
        "latency": lambda size: plots.latency(keyed("latency"), report.hours, edges, objective, size),
        "histogram": lambda size: plots.histogram("histogram", edges, report.whole.latency, objective, size),
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
