"""Plots as SVG, from hours, spans and events: no script, no style of their own but the classes of `plots.css`.

Each has a title and a description for who cannot see it; shapes, borders and words say what colours say. A plot is
drawn twice, for wide and for narrow pages, so that its words keep their size; the stylesheet shows one.
"""

from collections.abc import Callable, Sequence

import msgspec
from markupsafe import Markup, escape

from sidecar.console import labels as words
from sidecar.console.scales import Frame, percentile_ms, round_up, times
from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import PPM, Mode
from sidecar.core.fold.history import HOUR_MS, Condition, EventKind, Hour, Span, TimelineEvent, summed
from sidecar.wording import mode_name

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

"""What is drawn as a shape, the most important first; suspensions are drawn as spans."""
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
    EventKind.ACTION: "action of a person",
}
_CONDITIONS = {
    Condition.REVERB_UNSTABLE: ("p-unstable", "Reverb unstable"),
    Condition.SUSPENDED: ("p-suspended", "suspended"),
    Condition.ALARM: ("p-alarm", "alarm"),
    Condition.BLIND: ("p-blind", "nothing seen"),
}


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """What all plots over time need."""

    key: str
    """A word that no other plot of the page has."""
    from_ms: int
    until_ms: int
    events: Sequence[TimelineEvent] = ()


def responsive(draw: Callable[[tuple[int, int]], Markup]) -> Markup:
    """Return a plot drawn for wide and for narrow pages."""
    wide, narrow = (
        f'<div class="plot-{name}">{draw(size)}</div>' for name, size in (("wide", WIDE), ("narrow", NARROW))
    )
    return Markup(f'<div class="plot">{wide}{narrow}</div>')  # noqa: S704 - made of plots, which escape their words


def outcomes(plot: Plot, hours: Sequence[Hour], size: tuple[int, int] = WIDE) -> Markup:
    """Draw how payments ended: on time upwards, all else downwards and by a scale of its own, so that a few show."""
    frame, bars = _frame(plot, size), _bars(plot, hours, size)
    whole = summed(bar for _, _, bar in bars)
    middle = _TOP + (frame.height - _TOP - _BOTTOM) * 0.62
    most = round_up(max((bar.outcomes.on_time for _, _, bar in bars), default=0))
    worst = round_up(max((_not_on_time(bar) for _, _, bar in bars), default=0))
    up, down = (middle - _TOP) / most, (frame.height - _BOTTOM - middle) / worst
    parts = [
        _line("p-grid", frame.left, _TOP, frame.right, _TOP),
        _text(frame.left - 6, _TOP + 4, words.count(most), "p-end"),
        _text(frame.left - 6, middle + 4, "0", "p-end"),
        _text(frame.left - 6, frame.height - _BOTTOM + 4, words.count(worst), "p-end"),
        _line("p-grid", frame.left, frame.height - _BOTTOM, frame.right, frame.height - _BOTTOM),
        *_times(frame),
    ]
    drawn: dict[str, list[str]] = {kind: [] for kind in ("p-good", "p-missed", "p-late", "p-unmeasured")}
    for from_ms, until_ms, bar in bars:
        x, width, told = frame.x(from_ms), max(1.0, frame.x(until_ms) - frame.x(from_ms) - 1), bar.outcomes
        drawn["p-good"].append(_box(x, middle - up * told.on_time, width, up * told.on_time))
        y = middle
        for kind, count in (("p-missed", told.missed), ("p-late", told.late), ("p-unmeasured", told.unmeasured)):
            drawn[kind].append(_box(x, y, width, down * count))
            y += down * count
    parts += [_path(kind, pieces) for kind, pieces in drawn.items()]
    parts += [_line("p-base", frame.left, middle, frame.right, middle), *_stems(plot, frame)]
    counts = whole.outcomes
    legend = [("p-good", "on time"), ("p-missed", "missed"), ("p-late", "late"), ("p-unmeasured", "unmeasured")]
    said = (
        f"{words.count(counts.on_time)} payments on time, {words.count(counts.late)} late, "
        f"{words.count(counts.missed)} missed, {words.count(counts.unmeasured)} unmeasured."
    )
    return _svg(plot, frame, "How payments ended over time", said, parts, legend)


def reliability(plot: Plot, hours: Sequence[Hour], objective_ppm: int, size: tuple[int, int] = WIDE) -> Markup:
    """Draw which share of the judged payments was on time: a dot for each bar of time in which any was judged."""
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
        parts.append(_line("p-grid", frame.left, y(share), frame.right, y(share)))
        parts.append(_text(frame.left - 6, y(share) + 4, f"{100 * share:g} %", "p-end"))
    parts += _stems(plot, frame)
    parts.append(_line("p-goal", frame.left, y(objective), frame.right, y(objective)))
    dots = [((frame.x(from_ms) + frame.x(until_ms)) / 2, share) for from_ms, until_ms, share in shown]
    parts.append(_path("p-good", [_dot(x, y(share), 3) for x, share in dots if share >= objective]))
    parts.append(_path("p-missed", [_dot(x, y(share), 3) for x, share in dots if share < objective]))
    goal = f"objective: {100 * objective:g} %"
    parts.append(_text(frame.right, y(objective) + 14, goal, "p-end p-goal-text"))
    judged, on_time = (sum(getattr(each, name) for _, _, each in bars) for name in ("judged", "on_time"))
    told = "No payment has been judged in this time."
    if judged:
        told = f"{words.count(on_time)} of {words.count(judged)} judged payments were on time, "
        told += f"{words.ratio(on_time / judged)}; the {goal}."
    return _svg(plot, frame, "The share on time of the judged, over time", told, parts, [])


def latency(
    plot: Plot, hours: Sequence[Hour], edges_ms: Sequence[int], objective_ms: int, size: tuple[int, int] = WIDE
) -> Markup:
    """Draw how long the news took: a dot where half of the payments were, a bar up to where 95 % were."""
    frame, bars = _frame(plot, size), _bars(plot, hours, size)
    top_ms = (list(edges_ms) or [1])[-1]
    shown = [(from_ms, until_ms, bar) for from_ms, until_ms, bar in bars if len(bar.latency) == len(edges_ms) + 1]

    def y(at_ms: float) -> float:
        return frame.logarithm(at_ms, 20, top_ms, frame.height - _BOTTOM, _TOP)

    parts = list(_times(frame))
    for tick_ms in (50, 200, 1000, 5000, 30_000):
        if tick_ms <= top_ms:
            parts.append(_line("p-grid", frame.left, y(tick_ms), frame.right, y(tick_ms)))
            parts.append(_text(frame.left - 6, y(tick_ms) + 4, seconds(tick_ms), "p-end"))
    ranges, dots = [], []
    for from_ms, until_ms, bar in shown:
        x = (frame.x(from_ms) + frame.x(until_ms)) / 2
        half, most = (y(percentile_ms(edges_ms, bar.latency, percent)) for percent in (50, 95))
        ranges.append(f"M{x:.1f} {half:.1f}V{most:.1f}")
        dots.append(_dot(x, half, 2.5))
    parts += [_path("p-range", ranges), _path("p-good", dots)]
    parts += [_line("p-goal", frame.left, y(objective_ms), frame.right, y(objective_ms)), *_stems(plot, frame)]
    parts.append(
        _text(frame.right, y(objective_ms) - 4, f"on time: under {seconds(objective_ms)}", "p-end p-goal-text")
    )
    counts = summed(bar for _, _, bar in shown).latency
    told = "No payment has been judged in this time."
    if counts:
        within = [seconds(round(percentile_ms(edges_ms, counts, percent))) for percent in (50, 95)]
        told = f"Half of the payments within about {within[0]}, 95 % within about {within[1]}; on time is "
        told += f"under {seconds(objective_ms)}."
    legend = [("p-good", "half were faster"), ("p-range-key", "up to 95 %")]
    return _svg(plot, frame, "From the webhook to the deciding ack over time", told, parts, legend)


def modes(plot: Plot, spans: Sequence[Span], size: tuple[int, int] = WIDE) -> Markup:
    """Draw what was servable as a step, what stood against it as ground, and what happened as shapes."""
    frame = _frame(plot, size)
    floor, ceiling = frame.height - _BOTTOM - 8, _TOP + 18
    pieces = _pieces(plot, spans)
    names = {mode: mode_name(mode).removeprefix("push with ") for mode in Mode}

    def y(mode: Mode) -> float:
        return floor - mode.rank * (floor - ceiling) / (len(names) - 1)

    parts = list(_times(frame))
    for mode, name in names.items():
        parts.append(_line("p-grid", frame.left, y(mode), frame.right, y(mode)))
        parts.append(_text(frame.left - 6, y(mode) + 4, name, "p-end"))
    drawn: set[tuple[str, int]] = set()
    for from_ms, until_ms, span in pieces:
        kind, name = _CONDITIONS.get(span.condition, ("", ""))
        place = (kind, int(frame.x(from_ms)))
        if kind and (place not in drawn or frame.x(until_ms) - frame.x(from_ms) > 1):  # one for each pixel is enough
            drawn.add(place)
            width = max(1.5, frame.x(until_ms) - frame.x(from_ms))
            box = _rect(kind, frame.x(from_ms), _TOP + 6, width, frame.height - _BOTTOM - _TOP - 6)
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
    told = "; ".join(
        f"{name} was servable to everybody for {duration(spent)}"
        for mode, name in reversed(names.items())
        if (spent := sum(end - start for start, end, span in pieces if span.for_all is mode and _was_seen(span)))
    )
    return _svg(plot, frame, "What was servable over time", f"{told or 'Nothing was seen'}.", parts, legend)


def histogram(
    key: str, edges_ms: Sequence[int], counts: Sequence[int], objective_ms: int, size: tuple[int, int] = WIDE
) -> Markup:
    """Draw a latency distribution: one bar for each bucket, with those that were late in another colour and hatch."""
    frame = Frame(width=size[0], height=size[1], from_ms=0, until_ms=1)
    most, whole = round_up(max(counts, default=0)), sum(counts)
    floor, step = frame.height - _BOTTOM, (frame.right - frame.left) / max(1, len(counts))
    parts = [
        _line("p-grid", frame.left, _TOP, frame.right, _TOP),
        _text(frame.left - 6, _TOP + 4, words.count(most), "p-end"),
        _text(frame.left - 6, floor + 4, "0", "p-end"),
    ]
    for number, count in enumerate(counts):
        lower_ms = edges_ms[number - 1] if number else 0
        height = (floor - _TOP) * count / most
        x = frame.left + step * number
        parts.append(_rect("p-good" if lower_ms < objective_ms else "p-late", x + 1, floor - height, step - 2, height))
        if number < len(edges_ms) and (size == WIDE or number % 2 == 0 or edges_ms[number] == objective_ms):
            parts.append(_text(x + step, floor + 15, seconds(edges_ms[number]), "p-middle"))
    below = sum(1 for edge in edges_ms if edge <= objective_ms)
    goal = frame.left + step * below
    parts += [_line("p-base", frame.left, floor, frame.right, floor), _line("p-goal", goal, _TOP - 6, goal, floor)]
    is_left = goal < (frame.left + frame.right) / 2
    side = (goal + 5, "p-goal-text") if is_left else (goal - 5, "p-end p-goal-text")
    parts.append(_text(side[0], _TOP - 8, f"on time: under {seconds(objective_ms)}", side[1]))
    told = "No latency has been measured."
    if whole:
        on_time = sum(count for number, count in enumerate(counts) if number < below)
        told = f"{words.count(whole)} payments; {words.count(on_time)} of them under {seconds(objective_ms)}."
    plot = Plot(key=key, from_ms=0, until_ms=1)
    return _svg(plot, frame, "How long from the webhook to the deciding ack", told, parts, [])


def seconds(span_ms: int) -> str:
    """Return a short time: `250 ms`, `2.5 s`."""
    return f"{span_ms} ms" if span_ms < 1000 else f"{span_ms / 1000:g} s"  # noqa: PLR2004 - a second


# --- parts


def _frame(plot: Plot, size: tuple[int, int]) -> Frame:
    return Frame(width=size[0], height=size[1], from_ms=plot.from_ms, until_ms=max(plot.until_ms, plot.from_ms + 1))


def _bars(plot: Plot, hours: Sequence[Hour], size: tuple[int, int]) -> list[tuple[int, int, Hour]]:
    """Return the hours of the time, added up so that there are not too many: (from, until, sum)."""
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
    """Return what of the spans lies in the time: (from, until, span)."""
    ends = [*(span.at_ms for span in spans[1:]), plot.until_ms][: len(spans)]
    cut = [
        (max(span.at_ms, plot.from_ms), min(end, plot.until_ms), span) for span, end in zip(spans, ends, strict=True)
    ]
    return [piece for piece in cut if piece[0] < piece[1]]


def _was_seen(span: Span) -> bool:
    return span.condition is not Condition.BLIND


def _not_on_time(hour: Hour) -> int:
    return hour.outcomes.late + hour.outcomes.missed + hour.outcomes.unmeasured


def _times(frame: Frame) -> list[Markup]:
    parts = []
    for at_ms, text in times(frame):
        x = frame.x(at_ms)
        parts.append(_line("p-grid", x, frame.height - _BOTTOM, x, frame.height - _BOTTOM + 5))
        parts.append(_text(x, frame.height - 3, text, "p-middle"))
    return parts


def _stems(plot: Plot, frame: Frame) -> list[Markup]:
    """TimelineEvent falls, moves, alarms and releases on a plot that is about something else."""
    kinds = {EventKind.FELL, EventKind.MOVED, EventKind.ALARM_RAISED, EventKind.RELEASE}
    events = [(frame.x(event.at_ms), event) for event in _apart(plot, frame) if event.kind in kinds]
    stems = [f"M{x:.1f} {_TOP - 6}V{frame.height - _BOTTOM}" for x, _ in events]
    return [_path("p-stem", stems), *(_shape(event, x, _TOP - 12) for x, event in events)]


def _shapes(plot: Plot, frame: Frame) -> tuple[list[Markup], list[tuple[str, str]]]:
    """Return the shapes of what happened, and their rows of the legend."""
    shown = _apart(plot, frame)
    kinds = [kind for kind in MARKED if any(event.kind is kind for event in shown)]
    return [_shape(event, frame.x(event.at_ms), _TOP - 6) for event in shown], [(kind, _NAMES[kind]) for kind in kinds]


def _apart(plot: Plot, frame: Frame) -> list[TimelineEvent]:
    """Return the events of the time, the most important first, without those that would cover such a one."""
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
    """Name what is drawn, below the plot; return where the last row is."""
    parts: list[Markup] = []
    x, y = float(frame.left), frame.height + 14.0
    for kind, name in rows:
        width = 32 + 7 * len(name)
        if x + width > frame.right and x > frame.left:
            x, y = float(frame.left), y + 18
        if kind in _SHAPES:
            parts.append(_shape(TimelineEvent(at_ms=0, seq=0, kind=EventKind(kind), detail=""), x + 7, y - 4))
        elif kind.endswith("-key"):
            parts.append(_line(kind.removesuffix("-key"), x, y - 4, x + 14, y - 4))
        else:
            parts.append(_rect(kind, x + 2, y - 9, 10, 10))
        parts.append(_text(x + 18, y, name, ""))
        x += width
    return parts, y


def _svg(
    plot: Plot, frame: Frame, title: str, told: str, parts: Sequence[Markup], legend: Sequence[tuple[str, str]]
) -> Markup:
    key = f"{plot.key}-{frame.width}"
    named, last = _legend(frame, legend)
    return Markup(
        '<svg role="img" viewBox="0 0 {w} {h}" aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{title}'
        '</title><desc id="{key}-desc">{told}</desc>{parts}</svg>'
    ).format(
        w=frame.width,
        h=round(last + 8 if legend else frame.height + 4),
        key=key,
        title=title,
        told=told,
        parts=Markup().join([*parts, *named]),
    )


# Hundreds of numbers make one plot. So they are put together as they are, because `Markup.format` costs many times as
# much; and all bars or dots of a kind are one element, because each costs the browser a node, a style and a layout.


def _path(kind: str, pieces: Sequence[str]) -> Markup:
    drawn = "".join(pieces)
    return Markup(f'<path class="{kind}" d="{drawn}"/>' if drawn else "")  # noqa: S704 - numbers


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z" if height > 0 else ""


def _dot(x: float, y: float, radius: float) -> str:
    half = f"a{radius:g} {radius:g} 0 1 0 "
    return f"M{x - radius:.1f} {y:.1f}{half}{2 * radius:g} 0{half}{-2 * radius:g} 0"


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return _path(kind, [f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"])


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return _path(kind, [_box(x, y, width, height)])


def _text(x: float, y: float, said: str, kind: str) -> Markup:
    return Markup(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(said)}</text>')  # noqa: S704 - escaped
