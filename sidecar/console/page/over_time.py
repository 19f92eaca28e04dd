"""Outcomes, latency and what was served, over time: the history put into buckets, and drawn with plain arithmetic.

Positions are per cent of a plot's width, so that it is as wide as the page and its words stay legible; heights are
pixels. A bucket is so many whole hours that there are at most some hundred of them, and begins at a multiple of its
size in UTC.
"""

import enum
import math

import msgspec

from sidecar.console.page import words
from sidecar.console.page.words import Moment, moment
from sidecar.core.chronicle import hours
from sidecar.core.history import HOUR_MS, ByOutcome, Condition, Hour, Mark, MarkKind, Span
from sidecar.core.policy import Mode, Policy
from sidecar.core.state import State

_MARKS_MAX = 150
"""Marks that are drawn, the newest; the log has more."""
_SLIVER = 0.12
"""Per cent of the width that a trouble takes at least, so that a minute in ninety days is seen."""
_LEAST_MS, _MOST_MS = 50.0, 60_000.0
"""What the latency's scale shows at most; what lies beyond stands at its edge."""


class Range(enum.StrEnum):
    """How far back."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    ALL = "400d"


_HOURS = {
    Range.DAY: (24, 1),
    Range.WEEK: (7 * 24, 2),
    Range.MONTH: (30 * 24, 8),
    Range.QUARTER: (90 * 24, 24),
    Range.ALL: (400 * 24, 7 * 24),
}
"""Hours in all, and in one bucket."""
_RANGES = {
    Range.DAY: "24 hours",
    Range.WEEK: "7 days",
    Range.MONTH: "30 days",
    Range.QUARTER: "90 days",
    Range.ALL: "400 days",
}


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle of a bar: `y` and `height` are pixels."""

    kind: str
    y: float
    height: float


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Some hours."""

    begins: Moment
    x: float
    width: float
    """Per cent."""
    outcomes: ByOutcome
    bars: tuple[Bar, ...]
    """The outcomes, from the ground up."""
    on_time: float | None
    """The share of the judged that were on time; None: none was judged."""
    on_time_y: float
    median_ms: float | None
    most_ms: float | None
    """95 % were within."""
    median_y: float
    most_y: float
    title: str
    """All of it in one line."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time in which one thing was servable."""

    x: float
    width: float
    kind: str
    """A mode, or why there were timers."""
    title: str


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened."""

    x: float
    kind: MarkKind
    title: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a scale, with its word."""

    y: float
    label: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A range that may be chosen."""

    range: Range
    label: str
    is_chosen: bool


class OverTime(msgspec.Struct, frozen=True, kw_only=True):
    """All plots of one range."""

    choices: tuple[Choice, ...]
    label: str
    is_day: bool
    """Whether the clock tells more than the date."""
    begins: Moment
    middle: Moment
    ends: Moment
    buckets: tuple[Bucket, ...]
    bucket: str
    """How long a bucket is."""
    most_count: str
    """Payments in the fullest bucket: the top of its scale."""
    reliability_lines: tuple[Line, ...]
    latency_lines: tuple[Line, ...]
    objective: Line
    """On-time within, on the latency's scale."""
    reliability: Line
    """The reliability that is asked for."""
    stretches: tuple[Stretch, ...]
    pins: tuple[Pin, ...]
    kinds: tuple[MarkKind, ...]
    """Those that are drawn, for the legend."""
    summary: str


HEIGHT = 150
"""Of a plot, in pixels."""


def over_time(state: State, now_ms: int, chosen: Range | None = None) -> OverTime | None:
    """Return the plots; None: nothing was recorded yet. Without a choice: the shortest range that shows all hours."""
    policy, history = state.policy, hours(state)
    if policy is None or not history:
        return None
    span = chosen or _fitting(history[0].hour, now_ms)
    length, size = _HOURS[span]
    ends = -(-(now_ms // HOUR_MS + 1) // size) * size
    begins = ends - length
    sums = _buckets([hour for hour in history if hour.hour >= begins], begins, size, length // size)
    most = max((sum_.outcomes.judged + sum_.outcomes.unmeasured for sum_ in sums), default=0)
    floor = _floor(sums, policy)
    window = _Window(from_ms=begins * HOUR_MS, until_ms=ends * HOUR_MS, now_ms=now_ms)
    edges = state.history.edges_ms
    buckets = tuple(
        _bucket(sum_, begins + index * size, window, size, most, floor, edges) for index, sum_ in enumerate(sums)
    )
    pins = tuple(_pins(state.history.marks, window))
    return OverTime(
        choices=tuple(Choice(range=each, label=_RANGES[each], is_chosen=each is span) for each in Range),
        label=_RANGES[span],
        is_day=span is Range.DAY,
        begins=moment(window.from_ms, now_ms),
        middle=moment((window.from_ms + window.until_ms) // 2, now_ms),
        ends=moment(now_ms, now_ms),
        buckets=buckets,
        bucket="hour" if size == 1 else f"{size} hours" if size < 24 else "day" if size == 24 else "week",  # noqa: PLR2004
        most_count=words.count(most),
        reliability_lines=tuple(
            Line(y=_share_y(value, floor), label=f"{100 * value:g} %") for value in (1.0, (1 + floor) / 2, floor)
        ),
        latency_lines=tuple(
            Line(y=_latency_y(value_ms), label=label)
            for value_ms, label in ((100, "100 ms"), (1000, "1 s"), (10_000, "10 s"))
        ),
        objective=Line(y=_latency_y(policy.on_time_within_ms), label=f"{policy.on_time_within_ms / 1000:g} s"),
        reliability=Line(
            y=_share_y(policy.reliability_ppm / 1_000_000, floor), label=f"{policy.reliability_ppm / 10_000:g} %"
        ),
        stretches=tuple(_stretches(state.history.spans, window)),
        pins=pins,
        kinds=tuple(kind for kind in MarkKind if any(pin.kind is kind for pin in pins)),
        summary=_summary(sums, _RANGES[span]),
    )


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    from_ms: int
    until_ms: int
    now_ms: int

    def x(self, at_ms: int) -> float:
        """Return where a time lies, in per cent of the width."""
        return 100 * (at_ms - self.from_ms) / (self.until_ms - self.from_ms)


class _Sum(msgspec.Struct, kw_only=True):
    """What was counted in one bucket."""

    outcomes: ByOutcome = msgspec.field(default_factory=ByOutcome)
    edges: int = -1
    latency: list[int] = []


def _fitting(first: int, now_ms: int) -> Range:
    """Return the shortest range, up to a quarter, that shows all hours."""
    age = now_ms // HOUR_MS - first
    return next((span for span in Range if age < _HOURS[span][0] and span is not Range.ALL), Range.QUARTER)


def _buckets(history: list[Hour], begins: int, size: int, number: int) -> list[_Sum]:
    sums = [_Sum() for _ in range(number)]
    for hour in history:
        sum_ = sums[(hour.hour - begins) // size]
        for name in ByOutcome.__struct_fields__:
            setattr(sum_.outcomes, name, getattr(sum_.outcomes, name) + getattr(hour.outcomes, name))
        if not hour.latency:
            continue
        if sum_.edges != hour.edges:  # a change of objective began another scale: the bucket shows the newer
            sum_.edges, sum_.latency = hour.edges, [0] * len(hour.latency)
        sum_.latency = [then + now for then, now in zip(sum_.latency, hour.latency, strict=True)]
    return sums


def _floor(sums: list[_Sum], policy: Policy) -> float:
    """Return where the scale of the shares begins: a nice value below all of them and below what is unacceptable."""
    least = min((sum_.outcomes.on_time / sum_.outcomes.judged for sum_ in sums if sum_.outcomes.judged), default=1.0)
    least = min(least, policy.unacceptable_reliability_ppm / 1_000_000)
    return next(value for value in (0.95, 0.9, 0.8, 0.5, 0.0) if value <= least)


def _bucket(
    sum_: _Sum, hour: int, window: _Window, size: int, most: int, floor: float, edges_ms: list[list[int]]
) -> Bucket:
    outcomes = sum_.outcomes
    begins_ms = hour * HOUR_MS
    x = window.x(begins_ms)
    median_ms = most_ms = None
    if sum_.latency:
        edges = edges_ms[sum_.edges]
        median_ms, most_ms = _quantile(edges, sum_.latency, 0.5), _quantile(edges, sum_.latency, 0.95)
    on_time = outcomes.on_time / outcomes.judged if outcomes.judged else None
    begins = moment(begins_ms, window.now_ms)
    return Bucket(
        begins=begins,
        x=round(x, 3),
        width=round(window.x(begins_ms + size * HOUR_MS) - x, 3),
        outcomes=outcomes,
        bars=tuple(_bars(outcomes, most)),
        on_time=on_time,
        on_time_y=0.0 if on_time is None else _share_y(on_time, floor),
        median_ms=median_ms,
        most_ms=most_ms,
        median_y=0.0 if median_ms is None else _latency_y(median_ms),
        most_y=0.0 if most_ms is None else _latency_y(most_ms),
        title=f"{begins.text}: {_counted(outcomes)}",
    )


def _counted(outcomes: ByOutcome) -> str:
    told = {name: getattr(outcomes, name) for name in ByOutcome.__struct_fields__}
    return words.joined([f"{words.count(n)} {words.name(name)}" for name, n in told.items() if n]) or "no payments"


def _bars(outcomes: ByOutcome, most: int) -> list[Bar]:
    bars, ground = [], float(HEIGHT)
    for name in ByOutcome.__struct_fields__:
        counted: int = getattr(outcomes, name)
        if counted:
            height = max(1.5, counted / most * HEIGHT) if most else 0.0
            ground -= height
            bars.append(Bar(kind=name, y=round(ground, 1), height=round(height, 1)))
    return bars


def _quantile(edges_ms: list[int], counts: list[int], share: float) -> float:
    """Return a quantile, as if those in a bucket were spread evenly over it."""
    wanted, below, lower = share * sum(counts), 0, 0.0
    for edge_ms, counted in zip(edges_ms, counts, strict=False):
        if counted and below + counted >= wanted:
            return lower + (edge_ms - lower) * (wanted - below) / counted
        below, lower = below + counted, float(edge_ms)
    return lower


def _latency_y(value_ms: float) -> float:
    """Return the height of a latency, by its logarithm: 100 ms and 10 s must both be told apart."""
    within = min(max(value_ms, _LEAST_MS), _MOST_MS)
    return round(HEIGHT * (1 - math.log(within / _LEAST_MS) / math.log(_MOST_MS / _LEAST_MS)), 1)


def _share_y(share: float, floor: float) -> float:
    return round(4 + (HEIGHT - 8) * (1 - (share - floor) / (1 - floor)), 1)


def _stretches(spans: list[Span], window: _Window) -> list[Stretch]:
    stretches = []
    ends = [span.at_ms for span in spans[1:]] + [window.now_ms]
    for span, end_ms in zip(spans, ends, strict=True):
        from_ms, until_ms = max(span.at_ms, window.from_ms), min(end_ms, window.until_ms)
        if until_ms <= from_ms:
            continue
        is_serving = span.condition in {Condition.SERVING, Condition.DRY_RUN}
        width = window.x(until_ms) - window.x(from_ms)
        kind = str(span.mode if span.condition is Condition.SERVING else span.condition)
        name = words.MODES[span.mode] if span.condition is Condition.SERVING else words.name(span.condition)
        since, until = moment(span.at_ms, window.now_ms), moment(end_ms, window.now_ms)
        stretches.append(
            Stretch(
                x=round(window.x(from_ms), 3),
                width=round(width if is_serving else max(width, _SLIVER), 3),
                kind=kind,
                title=f"{name}, {since.text} to {until.text}",
            )
        )
    # troubles are short: they are drawn over what is around them
    return sorted(stretches, key=lambda stretch: stretch.kind not in set(Mode))


def _pins(marks: list[Mark], window: _Window) -> list[Pin]:
    drawn = [mark for mark in marks if mark.at_ms >= window.from_ms and mark.kind in KINDS][-_MARKS_MAX:]
    return [
        Pin(
            x=round(window.x(mark.at_ms), 3),
            kind=mark.kind,
            title=f"{KINDS[mark.kind]}, {moment(mark.at_ms, window.now_ms).text}: {mark.detail}",
        )
        for mark in drawn
    ]


KINDS = {
    MarkKind.MOVED: "moved",
    MarkKind.FELL: "fell",
    MarkKind.ALARM_RAISED: "alarm",
    MarkKind.SHELTER_BEGAN: "shelter",
    MarkKind.REST_BEGAN: "rest",
    MarkKind.RELEASE: "release",
    MarkKind.POLICY: "policy",
    MarkKind.ACT: "a person's act",
}
"""The marks that are drawn; the others only end them."""


def _summary(sums: list[_Sum], label: str) -> str:
    judged = sum(sum_.outcomes.judged for sum_ in sums)
    on_time = sum(sum_.outcomes.on_time for sum_ in sums)
    if not judged:
        return f"No payment was judged in the last {label}."
    share = words.ratio(on_time / judged)
    return (
        f"In the last {label}, {words.count(on_time)} of {words.count(judged)} judged payments were on time: {share}."
    )
