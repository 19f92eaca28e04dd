"""Plots as SVG, from hours, spans and events, without a script; `plots.css` has their classes.

Each has a title and a description for screen readers; shapes and borders repeat what colours show. A plot is drawn
twice, for wide and for narrow pages, so that its text keeps its size; the stylesheet shows one.
"""

from collections.abc import Callable, Sequence

import msgspec
from markupsafe import Markup

from sidecar.console import drawing, labels
from sidecar.console.scales import Frame, percentile_ms, round_up, times
from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import PPM, Mode
from sidecar.core.fold.history import HOUR_MS, Condition, EventKind, Hour, Span, TimelineEvent, summed

WIDE, NARROW = (960, 250), (340, 220)
_SLOTS = {WIDE: 96, NARROW: 40}
_WIDTHS_H = (1, 2, 3, 4, 6, 12, 24, 48, 168, 336)
_TOP, _BOTTOM = 22, 20
MARKED = (
    EventKind.FELL,
    EventKind.MOVED,
    EventKind.RELEASE,
    EventKind.ALARM_RAISED,
    EventKind.POLICY,
    EventKind.ACTION,
)
"""Events that are drawn as a shape, the most important first; suspensions are drawn as spans."""
_SHAPES = {
    EventKind.FELL: "M-6 -5H6L0 6Z",
    EventKind.MOVED: "M-6 5H6L0 -6Z",
    EventKind.RELEASE: "M0 -6L6 0L0 6L-6 0Z",
    EventKind.ALARM_RAISED: "M-6 -4L-4 -6L0 -2L4 -6L6 -4L2 0L6 4L4 6L0 2L-4 6L-6 4L-2 0Z",
    EventKind.POLICY: "M-5 -5H5V5H-5Z",
    EventKind.ACTION: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z",
}
_NAMES = {
    EventKind.FELL: "fall",
    EventKind.MOVED: "move",
    EventKind.RELEASE: "release",
    EventKind.ALARM_RAISED: "alarm",
    EventKind.POLICY: "policy",
    EventKind.ACTION: "operator action",
}
_CONDITIONS = {
    Condition.REVERB_UNSTABLE: ("p-unstable", "Reverb unstable"),
    Condition.SUSPENDED: ("p-suspended", "suspended"),
    Condition.ALARM: ("p-alarm", "alarm"),
    Condition.BLIND: ("p-blind", "blind"),
}


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """The range of a plot over time, and its events."""

    key: str
    """A unique name within the page."""
    from_ms: int
    until_ms: int
    events: Sequence[TimelineEvent] = ()


def responsive(draw: Callable[[tuple[int, int]], Markup]) -> Markup:
    """Return a plot drawn for wide and for narrow pages."""
    wide, narrow = (
        f'<div class="plot-{name}">{draw(size)}</div>' for name, size in (("wide", WIDE), ("narrow", NARROW))
    )
    return Markup(f'<div class="plot">{wide}{narrow}</div>')  # noqa: S704 - made of plots, which escape their texts


def outcomes(plot: Plot, hours: Sequence[Hour], size: tuple[int, int] = WIDE) -> Markup:
    """Draw outcomes: on time upwards; others downwards on a scale of their own, so that few are visible."""
    frame, bars = _frame(plot, size), _bars(plot, hours, size)
    whole = summed(bar for _, _, bar in bars)
    middle = _TOP + (frame.height - _TOP - _BOTTOM) * 0.62
    most = round_up(max((bar.outcomes.on_time for _, _, bar in bars), default=0))
    worst = round_up(max((_not_on_time(bar) for _, _, bar in bars), default=0))
    up, down = (middle - _TOP) / most, (frame.height - _BOTTOM - middle) / worst
    parts = [
        drawing.line("p-grid", frame.left, _TOP, frame.right, _TOP),
        drawing.text(frame.left - 6, _TOP + 4, labels.count(most), "p-end"),
        drawing.text(frame.left - 6, middle + 4, "0", "p-end"),
        drawing.text(frame.left - 6, frame.height - _BOTTOM + 4, labels.count(worst), "p-end"),
        drawing.line("p-grid", frame.left, frame.height - _BOTTOM, frame.right, frame.height - _BOTTOM),
        *_times(frame),
    ]
    drawn: dict[str, list[str]] = {kind: [] for kind in ("p-good", "p-missed", "p-late", "p-unmeasured")}
    for from_ms, until_ms, bar in bars:
        x, width, counted = frame.x(from_ms), max(1.0, frame.x(until_ms) - frame.x(from_ms) - 1), bar.outcomes
        drawn["p-good"].append(drawing.box(x, middle - up * counted.on_time, width, up * counted.on_time))
        y = middle
        for kind, count in (
            ("p-missed", counted.missed),
            ("p-late", counted.late),
            ("p-unmeasured", counted.unmeasured),
        ):
            drawn[kind].append(drawing.box(x, y, width, down * count))
            y += down * count
    parts += [drawing.path(kind, pieces) for kind, pieces in drawn.items()]
    parts += [drawing.line("p-base", frame.left, middle, frame.right, middle), *_stems(plot, frame)]
    counts = whole.outcomes
    legend = [("p-good", "on time"), ("p-missed", "missed"), ("p-late", "late"), ("p-unmeasured", "unmeasured")]
    summary = (
        f"{labels.count(counts.on_time)} payments on time, {labels.count(counts.late)} late, "
        f"{labels.count(counts.missed)} missed, {labels.count(counts.unmeasured)} unmeasured."
    )
    return _svg(plot, frame, "How payments ended over time", summary, parts, legend)


def reliability(plot: Plot, hours: Sequence[Hour], objective_ppm: int, size: tuple[int, int] = WIDE) -> Markup:
    """Draw the share of judged payments that were on time: a dot for each interval with a judged payment."""
    frame = _frame(plot, size)
    bars = [(from_ms, until_ms, bar.outcomes) for from_ms, until_ms, bar in _bars(plot, hours, size)]
    shown = [(from_ms, until_ms, each.on_time / each.judged) for from_ms, until_ms, each in bars if each.judged]
    objective = objective_ppm / PPM
    least = min([objective - (1 - objective), *(share for _, _, share in shown)])
    floor = next(value for value in (0.98, 0.95, 0.9, 0.8, 0.5, 0.0) if value <= max(least, 0.0))

    def y(share: float) -> float:
        return frame.height - _BOTTOM - (frame.height - _BOTTOM - _TOP) * (share - floor) / (1 - floor)

    parts = list(_times(frame))
    for share in (1.0, (1 + floor) / 2, floor):
        parts.append(drawing.line("p-grid", frame.left, y(share), frame.right, y(share)))
        parts.append(drawing.text(frame.left - 6, y(share) + 4, f"{100 * share:g} %", "p-end"))
    parts += _stems(plot, frame)
    parts.append(drawing.line("p-goal", frame.left, y(objective), frame.right, y(objective)))
    dots = [((frame.x(from_ms) + frame.x(until_ms)) / 2, share) for from_ms, until_ms, share in shown]
    parts.append(drawing.path("p-good", [drawing.dot(x, y(share), 3) for x, share in dots if share >= objective]))
    parts.append(drawing.path("p-missed", [drawing.dot(x, y(share), 3) for x, share in dots if share < objective]))
    goal = f"objective: {100 * objective:g} %"
    parts.append(drawing.text(frame.right, y(objective) + 14, goal, "p-end p-goal-text"))
    judged, on_time = (sum(getattr(each, name) for _, _, each in bars) for name in ("judged", "on_time"))
    summary = "No payment was judged in this period."
    if judged:
        summary = f"{labels.count(on_time)} of {labels.count(judged)} judged payments were on time, "
        summary += f"{labels.ratio(on_time / judged)}; the {goal}."
    return _svg(plot, frame, "Share on time, of judged payments, over time", summary, parts, [])


def latency(
    plot: Plot, hours: Sequence[Hour], edges_ms: Sequence[int], objective_ms: int, size: tuple[int, int] = WIDE
) -> Markup:
    """Draw latencies: a dot at the median, a bar up to the 95th percentile."""
    frame, bars = _frame(plot, size), _bars(plot, hours, size)
    top_ms = (list(edges_ms) or [1])[-1]
    shown = [(from_ms, until_ms, bar) for from_ms, until_ms, bar in bars if len(bar.latency) == len(edges_ms) + 1]

    def y(at_ms: float) -> float:
        return frame.logarithm(at_ms, 20, top_ms, frame.height - _BOTTOM, _TOP)

    parts = list(_times(frame))
    for tick_ms in (50, 200, 1000, 5000, 30_000):
        if tick_ms <= top_ms:
            parts.append(drawing.line("p-grid", frame.left, y(tick_ms), frame.right, y(tick_ms)))
            parts.append(drawing.text(frame.left - 6, y(tick_ms) + 4, labels.seconds(tick_ms), "p-end"))
    ranges, dots = [], []
    for from_ms, until_ms, bar in shown:
        x = (frame.x(from_ms) + frame.x(until_ms)) / 2
        half, most = (y(percentile_ms(edges_ms, bar.latency, percent)) for percent in (50, 95))
        ranges.append(f"M{x:.1f} {half:.1f}V{most:.1f}")
        dots.append(drawing.dot(x, half, 2.5))
    parts += [drawing.path("p-range", ranges), drawing.path("p-good", dots)]
    parts += [drawing.line("p-goal", frame.left, y(objective_ms), frame.right, y(objective_ms)), *_stems(plot, frame)]
    parts.append(
        drawing.text(
            frame.right, y(objective_ms) - 4, f"on time: under {labels.seconds(objective_ms)}", "p-end p-goal-text"
        )
    )
    counts = summed(bar for _, _, bar in shown).latency
    summary = "No payment was judged in this period."
    if counts:
        within = [labels.seconds(round(percentile_ms(edges_ms, counts, percent))) for percent in (50, 95)]
        summary = f"50 % of the payments within about {within[0]}, 95 % within about {within[1]}; on time is "
        summary += f"under {labels.seconds(objective_ms)}."
    legend = [("p-good", "50 % were faster"), ("p-range-key", "up to 95 %")]
    return _svg(plot, frame, "Time from the webhook to the deciding ack, over time", summary, parts, legend)


def modes(plot: Plot, spans: Sequence[Span], size: tuple[int, int] = WIDE) -> Markup:
    """Draw the servable mode as a step, suspensions and alarms as ground, and events as shapes."""
    frame = _frame(plot, size)
    floor, ceiling = frame.height - _BOTTOM - 8, _TOP + 18
    pieces = _pieces(plot, spans)
    names = {Mode.TIMER_POLLING: "timers", Mode.PUSH_WITH_SAFETY_NET: "safety net", Mode.PUSH_ONLY: "push only"}

    def y(mode: Mode) -> float:
        return floor - mode.rank * (floor - ceiling) / 2

    parts = list(_times(frame))
    for mode, name in names.items():
        parts.append(drawing.line("p-grid", frame.left, y(mode), frame.right, y(mode)))
        parts.append(drawing.text(frame.left - 6, y(mode) + 4, name, "p-end"))
    drawn: set[tuple[str, int]] = set()
    for from_ms, until_ms, span in pieces:
        kind, name = _CONDITIONS.get(span.condition, ("", ""))
        place = (kind, int(frame.x(from_ms)))
        if kind and (place not in drawn or frame.x(until_ms) - frame.x(from_ms) > 1):  # one for each pixel is enough
            drawn.add(place)
            width = max(1.5, frame.x(until_ms) - frame.x(from_ms))
            box = drawing.rect(kind, frame.x(from_ms), _TOP + 6, width, frame.height - _BOTTOM - _TOP - 6)
            parts.append(Markup("<g>{}<title>{}</title></g>").format(box, f"{name} for {duration(until_ms - from_ms)}"))
    for kind, name in (("p-step-some", "mode"), ("p-step", "for_all")):
        corners = [(at_ms, getattr(span, name)) for start, end, span in pieces for at_ms in (start, end)]
        points = " ".join(f"{frame.x(at_ms):.1f},{y(mode):.1f}" for at_ms, mode in corners)
        parts.append(Markup('<polyline class="{}" points="{}"/>').format(kind, points))
    shapes, named = _shapes(plot, frame)
    parts += shapes
    shaded = {span.condition for _, _, span in pieces}
    legend = [("p-step-key", "for everybody"), ("p-step-some-key", "for some")]
    legend += [_CONDITIONS[condition] for condition in _CONDITIONS if condition in shaded]
    legend += named
    summary = "; ".join(
        f"{name} was servable to everybody for {duration(spent)}"
        for mode, name in reversed(names.items())
        if (spent := sum(end - start for start, end, span in pieces if span.for_all is mode and _was_visible(span)))
    )
    return _svg(plot, frame, "Servable modes over time", f"{summary or 'Blind for the whole period'}.", parts, legend)


def histogram(
    key: str, edges_ms: Sequence[int], counts: Sequence[int], objective_ms: int, size: tuple[int, int] = WIDE
) -> Markup:
    """Draw a latency distribution: one bar for each bucket, with those that were late in another colour and hatch."""
    frame = Frame(width=size[0], height=size[1], from_ms=0, until_ms=1)
    most, whole = round_up(max(counts, default=0)), sum(counts)
    floor, step = frame.height - _BOTTOM, (frame.right - frame.left) / max(1, len(counts))
    parts = [
        drawing.line("p-grid", frame.left, _TOP, frame.right, _TOP),
        drawing.text(frame.left - 6, _TOP + 4, labels.count(most), "p-end"),
        drawing.text(frame.left - 6, floor + 4, "0", "p-end"),
    ]
    for number, count in enumerate(counts):
        lower_ms = edges_ms[number - 1] if number else 0
        height = (floor - _TOP) * count / most
        x = frame.left + step * number
        parts.append(
            drawing.rect("p-good" if lower_ms < objective_ms else "p-late", x + 1, floor - height, step - 2, height)
        )
        if number < len(edges_ms) and (size == WIDE or number % 2 == 0 or edges_ms[number] == objective_ms):
            parts.append(drawing.text(x + step, floor + 15, labels.seconds(edges_ms[number]), "p-middle"))
    below = sum(1 for edge in edges_ms if edge <= objective_ms)
    goal = frame.left + step * below
    parts += [
        drawing.line("p-base", frame.left, floor, frame.right, floor),
        drawing.line("p-goal", goal, _TOP - 6, goal, floor),
    ]
    is_left = goal < (frame.left + frame.right) / 2
    side = (goal + 5, "p-goal-text") if is_left else (goal - 5, "p-end p-goal-text")
    parts.append(drawing.text(side[0], _TOP - 8, f"on time: under {labels.seconds(objective_ms)}", side[1]))
    summary = "No latency was measured."
    if whole:
        on_time = sum(count for number, count in enumerate(counts) if number < below)
        summary = (
            f"{labels.count(whole)} payments; {labels.count(on_time)} of them under {labels.seconds(objective_ms)}."
        )
    plot = Plot(key=key, from_ms=0, until_ms=1)
    return _svg(plot, frame, "Time from the webhook to the deciding ack", summary, parts, [])


# --- parts


def _frame(plot: Plot, size: tuple[int, int]) -> Frame:
    return Frame(width=size[0], height=size[1], from_ms=plot.from_ms, until_ms=max(plot.until_ms, plot.from_ms + 1))


def _bars(plot: Plot, hours: Sequence[Hour], size: tuple[int, int]) -> list[tuple[int, int, Hour]]:
    """Return the hours of the range, summed into a limited number of intervals: (from, until, sum)."""
    first, last = plot.from_ms // HOUR_MS, -(-plot.until_ms // HOUR_MS)
    width = next((width for width in _WIDTHS_H if (last - first) / width <= _SLOTS[size]), _WIDTHS_H[-1])
    groups: dict[int, list[Hour]] = {}
    for hour in hours:
        if first <= hour.hour < last:
            groups.setdefault(hour.hour // width, []).append(hour)
    return [
        (
            max(plot.from_ms, group * width * HOUR_MS),
            min(plot.until_ms, (group + 1) * width * HOUR_MS),
            each[0] if len(each) == 1 else summed(each),
        )
        for group, each in groups.items()
    ]


def _pieces(plot: Plot, spans: Sequence[Span]) -> list[tuple[int, int, Span]]:
    """Return the parts of spans within the range: (from, until, span)."""
    ends = [*(span.at_ms for span in spans[1:]), plot.until_ms][: len(spans)]
    cut = [
        (max(span.at_ms, plot.from_ms), min(end, plot.until_ms), span) for span, end in zip(spans, ends, strict=True)
    ]
    return [piece for piece in cut if piece[0] < piece[1]]


def _was_visible(span: Span) -> bool:
    return span.condition is not Condition.BLIND


def _not_on_time(hour: Hour) -> int:
    return hour.outcomes.late + hour.outcomes.missed + hour.outcomes.unmeasured


def _times(frame: Frame) -> list[Markup]:
    parts = []
    for at_ms, text in times(frame):
        x = frame.x(at_ms)
        parts.append(drawing.line("p-grid", x, frame.height - _BOTTOM, x, frame.height - _BOTTOM + 5))
        parts.append(drawing.text(x, frame.height - 3, text, "p-middle"))
    return parts


def _stems(plot: Plot, frame: Frame) -> list[Markup]:
    """Draw falls, moves, alarms and releases on a plot of another quantity."""
    kinds = {EventKind.FELL, EventKind.MOVED, EventKind.ALARM_RAISED, EventKind.RELEASE}
    events = [(frame.x(event.at_ms), event) for event in _apart(plot, frame) if event.kind in kinds]
    stems = [f"M{x:.1f} {_TOP - 6}V{frame.height - _BOTTOM}" for x, _ in events]
    return [drawing.path("p-stem", stems), *(_shape(event, x, _TOP - 12) for x, event in events)]


def _shapes(plot: Plot, frame: Frame) -> tuple[list[Markup], list[tuple[str, str]]]:
    """Return the shapes of the events, and their rows of the legend."""
    shown = _apart(plot, frame)
    kinds = [kind for kind in MARKED if any(event.kind is kind for event in shown)]
    return [_shape(event, frame.x(event.at_ms), _TOP - 6) for event in shown], [(kind, _NAMES[kind]) for kind in kinds]


def _apart(plot: Plot, frame: Frame) -> list[TimelineEvent]:
    """Return the events of the range, the most important first, without those that would overlap one."""
    inside = [event for event in plot.events if event.kind in MARKED and plot.from_ms <= event.at_ms <= plot.until_ms]
    shown: list[TimelineEvent] = []
    taken: set[int] = set()
    for event in sorted(inside, key=lambda event: MARKED.index(event.kind)):
        place = int(frame.x(event.at_ms) / 10)
        if not taken & {place - 1, place, place + 1}:
            taken.add(place)
            shown.append(event)
    return shown


def _shape(event: TimelineEvent, x: float, y: float) -> Markup:
    title = f"{_NAMES[event.kind]}: {event.detail}" if event.detail else _NAMES[event.kind]
    return Markup(
        '<g class="p-of-{}" transform="translate({:.1f} {:.1f})"><path class="p-event" d="{}"/><title>{}</title></g>'
    ).format(event.kind, x, y, _SHAPES[event.kind], title)


def _legend(frame: Frame, rows: Sequence[tuple[str, str]]) -> tuple[list[Markup], float]:
    """Return the legend below the plot, and the position of its last row."""
    parts: list[Markup] = []
    x, y = float(frame.left), frame.height + 14.0
    for kind, name in rows:
        width = 32 + 7 * len(name)
        if x + width > frame.right and x > frame.left:
            x, y = float(frame.left), y + 18
        if kind in _SHAPES:
            parts.append(_shape(TimelineEvent(at_ms=0, seq=0, kind=EventKind(kind), detail=""), x + 7, y - 4))
        elif kind.endswith("-key"):
            parts.append(drawing.line(kind.removesuffix("-key"), x, y - 4, x + 14, y - 4))
        else:
            parts.append(drawing.rect(kind, x + 2, y - 9, 10, 10))
        parts.append(drawing.text(x + 18, y, name, ""))
        x += width
    return parts, y


def _svg(
    plot: Plot, frame: Frame, title: str, summary: str, parts: Sequence[Markup], legend: Sequence[tuple[str, str]]
) -> Markup:
    key = f"{plot.key}-{frame.width}"
    named, last = _legend(frame, legend)
    return Markup(
        '<svg role="img" viewBox="0 0 {w} {h}" aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{title}'
        '</title><desc id="{key}-desc">{summary}</desc>{parts}</svg>'
    ).format(
        w=frame.width,
        h=round(last + 8 if legend else frame.height + 4),
        key=key,
        title=title,
        summary=summary,
        parts=Markup().join([*parts, *named]),
    )
