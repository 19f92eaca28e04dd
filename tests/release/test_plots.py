"""Plots: well-formed, with descriptions, escaped, and of a limited size."""

import itertools
import re
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from markupsafe import Markup

from sidecar.console import plots
from sidecar.console.plots import NARROW, WIDE, Plot
from sidecar.console.scales import Frame, percentile_ms, round_up, times
from sidecar.core.fold.history import Condition, EventKind, Hour, summed
from sidecar.core.fold.history_writer import hours
from tests.core.world import DAY, HOUR, MINUTE, START_MS
from tests.release.prepared import EDGES_MS, NOW_MS, Past

_SVG = "{http://www.w3.org/2000/svg}"
Draw = Callable[[tuple[int, int]], Markup]


def past() -> Past:
    """Return a past with every kind of event."""
    prepared = Past(served_ms=20 * DAY, days=60)
    prepared.fall(24 * DAY, 3 * DAY)
    prepared.interrupt(8 * DAY, 2 * HOUR, Condition.REVERB_UNSTABLE)
    prepared.interrupt(5 * DAY, 6 * HOUR, Condition.BLIND)
    prepared.interrupt(2 * DAY, 1 * HOUR, Condition.SUSPENDED)
    prepared.release(3 * DAY, '<script>alert("release")</script>', 100)
    prepared.mark(11 * DAY, EventKind.ACTION, "hold by ann & bob: it's <b>launch</b> day")
    return prepared


def drawn(prepared: Past, span_ms: int) -> dict[str, Draw]:
    """Return each plot of a past."""
    history, every = prepared.state.history, hours(prepared.state)
    plot = Plot(key="k", from_ms=NOW_MS - span_ms, until_ms=NOW_MS, events=history.events)
    return {
        "outcomes": lambda size: plots.outcomes(plot, every, size),
        "reliability": lambda size: plots.reliability(plot, every, 990_000, size),
        "latency": lambda size: plots.latency(plot, every, EDGES_MS, 2000, size),
        "modes": lambda size: plots.modes(plot, history.spans, size),
        "histogram": lambda size: plots.histogram("h", EDGES_MS, summed(every).latency, 2000, size),
    }


def parsed(svg: Markup) -> ET.Element:
    """Parse a plot as XML."""
    return ET.fromstring(str(svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))  # noqa: S314 - our own


def boxes(svg: ET.Element, kind: str = "") -> list[tuple[float, ...]]:
    """Return the drawn boxes, or those of a class, with position and size."""
    drawn = [path.attrib["d"] for path in svg.iter(f"{_SVG}path") if kind in {"", path.get("class")}]
    found = re.findall(r"M(\S+) (\S+)h([\d.]+)v([\d.]+)h", "".join(drawn))
    return [tuple(map(float, box)) for box in found]


@pytest.mark.parametrize("name", ["outcomes", "reliability", "latency", "modes", "histogram"])
@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("span_ms", [5 * MINUTE, 1 * DAY, 60 * DAY])
def test_a_plot_is_well_formed_and_within_its_frame(name: str, size: tuple[int, int], span_ms: int) -> None:
    """For every range."""
    svg = parsed(drawn(past(), span_ms)[name](size))
    width, height = (float(word) for word in svg.attrib["viewBox"].split()[2:])
    for box in boxes(svg):
        x, y, wide, high = box
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
    for text in svg.iter(f"{_SVG}text"):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height
    for line in svg.iter(f"{_SVG}polyline"):
        assert all(0 <= float(number) <= width for number in re.split("[ ,]", line.attrib["points"]))


@pytest.mark.parametrize("name", ["outcomes", "reliability", "latency", "modes", "histogram"])
def test_an_empty_plot_has_a_description(name: str) -> None:
    """In the first minute of a sidecar."""
    plot = Plot(key="k", from_ms=START_MS, until_ms=START_MS)
    empty: dict[str, Callable[[], Markup]] = {
        "outcomes": lambda: plots.outcomes(plot, []),
        "reliability": lambda: plots.reliability(plot, [], 990_000),
        "latency": lambda: plots.latency(plot, [], [], 2000),
        "modes": lambda: plots.modes(plot, []),
        "histogram": lambda: plots.histogram("h", [], [], 2000),
    }
    reported = {
        "outcomes": "0 payments on time, 0 late, 0 missed, 0 unmeasured.",
        "reliability": "No payment was judged in this period.",
        "latency": "No payment was judged in this period.",
        "modes": "Blind for the whole period.",
        "histogram": "No latency was measured.",
    }[name]
    assert [desc.text for desc in parsed(empty[name]()).iter(f"{_SVG}desc")] == [reported]


def test_the_description_of_a_plot_has_its_figures() -> None:
    """For screen readers."""
    draws = drawn(past(), 60 * DAY)
    reported = {name: next(parsed(draw(WIDE)).iter(f"{_SVG}desc")).text or "" for name, draw in draws.items()}
    whole = summed(hours(past().state))
    assert reported["outcomes"].startswith(f"{whole.outcomes.on_time:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"))
    assert re.fullmatch(
        r"50 % of the payments within about \d+ ms, 95 % .* on time is under 2 s\.", reported["latency"]
    )
    assert "push only was servable to everybody for 19 d 15 h" in reported["modes"]
    assert re.fullmatch(r"57.640 payments; 57.\d+ of them under 2 s\.", reported["histogram"])


def test_a_plot_counts_only_its_range() -> None:
    """One bar more would include another day."""
    plot = Plot(key="k", from_ms=NOW_MS - NOW_MS % HOUR - 3 * HOUR, until_ms=NOW_MS)
    reported = next(parsed(plots.outcomes(plot, hours(Past(per_hour=10).state))).iter(f"{_SVG}desc")).text or ""
    counted = [int(number) for number in re.findall(r"\d+", reported)]
    assert (sum(counted), counted[-2:]) == (40, [0, 0])


@pytest.mark.parametrize("name", ["outcomes", "modes"])
def test_texts_in_plots_are_escaped(name: str) -> None:
    """Anybody who can push a tag names a release."""
    body = str(plots.responsive(drawn(past(), 60 * DAY)[name]))
    assert "<script" not in body
    assert "&lt;script&gt;" in body
    assert "style=" not in body
    titles = [title.text for title in parsed(drawn(past(), 60 * DAY)["modes"](WIDE)).iter(f"{_SVG}title")]
    assert "operator action: hold by ann & bob: it's <b>launch</b> day" in titles


def test_each_plot_has_unique_ids() -> None:
    """Otherwise a screen reader reads the description of another plot."""
    body = "".join(str(plots.responsive(draw)) for draw in drawn(past(), 60 * DAY).values())
    named = [name for names in re.findall(r'aria-labelledby="([^"]*)"', body) for name in names.split()]
    ids = re.findall(r' id="([^"]*)"', body)
    assert named == ids
    assert len(ids) == 20
    assert len({name for name in ids if name.startswith("h-")}) == 4


@pytest.mark.parametrize(("size", "most"), [(WIDE, 96), (NARROW, 40)])
def test_many_hours_are_summed_until_they_fit(size: tuple[int, int], most: int) -> None:
    """400 days are 9600 hours."""
    first = NOW_MS // HOUR - 9600
    many = [Hour(hour=first + number, succeeded=1) for number in range(9600)]
    for hour in many:
        hour.outcomes.on_time = 3
    plot = Plot(key="k", from_ms=first * HOUR, until_ms=NOW_MS)
    body = plots.outcomes(plot, many, size)
    assert 20 < len(boxes(parsed(body), "p-good")) <= most + 3
    assert "28 800 payments on time" in body.replace("\N{NARROW NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("name", ["outcomes", "reliability", "latency"])
def test_all_bars_of_a_kind_are_one_element(name: str) -> None:
    """Each element delays the first paint."""
    svg = parsed(drawn(Past(served_ms=20 * DAY, days=60), 60 * DAY)[name](WIDE))
    kinds = [part.get("class") for part in svg.iter()]
    assert "p-good" in kinds
    assert all(kinds.count(kind) <= 2 for kind in ("p-good", "p-missed", "p-late", "p-unmeasured", "p-range"))


def test_a_fall_is_never_covered() -> None:
    """Of overlapping shapes the most important is drawn."""
    prepared = Past()
    prepared.mark(3 * DAY, EventKind.ACTION, "an action")
    prepared.mark(3 * DAY, EventKind.FELL, "a fall")
    prepared.mark(3 * DAY, EventKind.ALARM_RAISED, "payments")
    body = drawn(prepared, 60 * DAY)["modes"](WIDE)
    assert body.count("fall: a fall") == 1
    assert "an action" not in body


# --- scales


@pytest.mark.parametrize(
    ("number", "rounded"), [(0, 1), (1, 1), (2, 2), (3, 5), (5, 5), (6, 10), (11, 20), (999, 1000), (1001, 2000)]
)
def test_a_scale_ends_at_a_round_number(number: int, rounded: int) -> None:
    """1, 2 or 5 times a power of ten."""
    assert round_up(number) == rounded


@pytest.mark.parametrize(
    ("counts", "percent", "expected"),
    [
        ([0, 0, 0, 0], 50, 200.0),
        ([10, 0, 0, 0], 50, 25.0),
        ([0, 10, 0, 0], 100, 100.0),
        ([5, 5, 0, 0], 50, 50.0),
        ([5, 5, 0, 0], 75, 75.0),
        ([0, 0, 0, 7], 50, 200.0),
    ],
)
def test_a_percentile_lies_within_its_bucket(counts: list[int], percent: int, expected: float) -> None:
    """It is interpolated; beyond the last edge it is the last edge."""
    assert percentile_ms([50, 100, 200], counts, percent) == expected


@pytest.mark.parametrize("span_ms", [2 * MINUTE, 1 * HOUR, 1 * DAY, 14 * DAY, 400 * DAY, 4000 * DAY])
def test_ticks_do_not_overlap(span_ms: int) -> None:
    """Labels must stay readable."""
    frame = Frame(width=340, height=220, from_ms=NOW_MS - span_ms, until_ms=NOW_MS)
    places = [frame.x(at_ms) for at_ms, _ in times(frame)]
    assert all(second - first >= 60 for first, second in itertools.pairwise(places))
    assert places
    assert all(re.fullmatch(r"\d\d:\d\d|\d+ [A-Z][a-z]{2}", text) for _, text in times(frame))
