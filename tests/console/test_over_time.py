"""The plots: what lies where on them, and that a figure stands beside each."""

import re

import msgspec
import pytest

from sidecar.console.page.over_time import HEIGHT, OverTime, Range, over_time
from sidecar.core.history import HOUR_MS, ByOutcome, Condition, Hour, Mark, MarkKind, Span
from sidecar.core.policy import Mode
from sidecar.core.state import State
from tests.console.quarter import quarter
from tests.core.world import HOUR, MINUTE, SECOND, World, on

NOW_MS = 1_800_003_600_000 - 1
"""The last millisecond of an hour."""
HOUR_NOW = NOW_MS // HOUR_MS


def _state(*hours: Hour, spans: tuple[Span, ...] = (), marks: tuple[Mark, ...] = ()) -> State:
    """Return a state whose past is this, and whose present hour is empty."""
    state = on(0).state
    history = state.history
    history.hours = list(hours)
    history.present = Hour(hour=HOUR_NOW)
    history.began = Hour(hour=HOUR_NOW)
    state.tally = type(state.tally)()
    state.now_ms = history.counted_ms = history.lease_until_ms = NOW_MS
    serving = Span(at_ms=0, mode=Mode.PUSH_ONLY, for_all=Mode.PUSH_ONLY, condition=Condition.SERVING)
    history.spans, history.marks = list(spans) or [serving], list(marks)
    return state


def _drawn(state: State, chosen: Range | None = Range.DAY) -> OverTime:
    plots = over_time(state, NOW_MS, chosen)
    assert plots is not None
    return plots


def _past(hours: int, **counts: int) -> Hour:
    return Hour(hour=HOUR_NOW - hours, outcomes=ByOutcome(**counts))


def test_nothing_is_drawn_before_anything_was_recorded() -> None:
    """A page without a past has no plots, rather than empty ones."""
    assert over_time(State(), NOW_MS) is None


@pytest.mark.parametrize(
    ("age", "chosen"),
    [
        (0, Range.DAY), (23, Range.DAY), (24, Range.WEEK), (167, Range.WEEK), (168, Range.MONTH), (719, Range.MONTH),
        (720, Range.QUARTER), (2159, Range.QUARTER), (2160, Range.QUARTER), (9000, Range.QUARTER),
    ],
)  # fmt: skip
def test_the_range_fits_what_there_is_up_to_a_quarter(age: int, chosen: Range) -> None:
    """Who has run it for a day sees a day, and not a quarter with one bar at its end."""
    plots = _drawn(_state(_past(age, on_time=1)), None)
    assert [choice.range for choice in plots.choices if choice.is_chosen] == [chosen]


def test_each_hour_falls_into_its_bucket_and_older_ones_into_none() -> None:
    """The last bucket holds the present hour; what is a day old is no longer in the day."""
    plots = _drawn(_state(_past(24, on_time=9), _past(23, on_time=1), _past(1, on_time=2, late=3)))
    assert len(plots.buckets) == 24
    assert [bucket.outcomes.judged for bucket in plots.buckets] == [1, *[0] * 21, 5, 0]
    assert plots.buckets[0].x == 0.0
    assert plots.buckets[23].x + plots.buckets[23].width == pytest.approx(100, abs=0.01)


def test_bars_stand_on_each_other_and_the_fullest_fills_the_height() -> None:
    """From the ground up: on time, late, missed, unmeasured."""
    plots = _drawn(_state(_past(1, on_time=5, late=2, missed=1, unmeasured=2), _past(2, on_time=5)))
    bars = plots.buckets[22].bars
    assert [(bar.kind, bar.y, bar.height) for bar in bars] == [
        ("on_time", 75.0, 75.0), ("late", 45.0, 30.0), ("missed", 30.0, 15.0), ("unmeasured", 0.0, 30.0)
    ]  # fmt: skip
    assert plots.buckets[21].bars[0].height == HEIGHT / 2
    assert plots.most_count == "10"


def test_a_day_without_a_judged_payment_has_no_share() -> None:
    """Nothing is not a hundred per cent, and not none."""
    plots = _drawn(_state(_past(1, unmeasured=2), _past(2, on_time=3, missed=1)))
    assert [bucket.on_time for bucket in plots.buckets[21:]] == [0.75, None, None]


def test_quantiles_lie_within_their_bucket_and_below_the_objective_is_lower_on_the_plot() -> None:
    """Half of ten in 100..250 ms is 175 ms; the objective of 2 s lies above it."""
    state = _state(Hour(hour=HOUR_NOW - 1, outcomes=ByOutcome(on_time=10), latency=[0, 0, 10, 0, 0, 0, 0, 0, 0, 0]))
    state.history.edges_ms = [[50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000]]
    plots = _drawn(state)
    bucket = plots.buckets[22]
    assert bucket.median_ms == 175
    assert bucket.most_ms == pytest.approx(242.5)
    assert bucket.median_y > bucket.most_y > plots.objective.y


def test_after_a_change_of_objective_a_bucket_shows_the_newer_scale() -> None:
    """Counts by other edges cannot be added to."""
    older = Hour(hour=HOUR_NOW - 3, outcomes=ByOutcome(on_time=1), latency=[0, 1, 0], edges=0)
    newer = Hour(hour=HOUR_NOW - 2, outcomes=ByOutcome(on_time=1), latency=[1, 0, 0, 0], edges=1)
    state = _state(older, newer)
    state.history.edges_ms = [[50, 100], [50, 60, 70]]
    medians = [bucket.median_ms for bucket in _drawn(state, Range.MONTH).buckets if bucket.median_ms is not None]
    assert 25 in medians


def test_a_short_trouble_is_seen_in_a_long_time_and_lies_above_what_was_served() -> None:
    """A minute of shelter in a quarter would be a hundredth of a pixel wide."""
    push = Span(
        at_ms=NOW_MS - 100 * 24 * HOUR, mode=Mode.PUSH_ONLY, for_all=Mode.PUSH_ONLY, condition=Condition.SERVING
    )
    shelter = msgspec.structs.replace(
        push, at_ms=NOW_MS - 50 * HOUR, mode=Mode.TIMER_POLLING, condition=Condition.SHELTERED
    )
    back = msgspec.structs.replace(push, at_ms=NOW_MS - 50 * HOUR + MINUTE)
    plots = _drawn(_state(_past(1, on_time=1), spans=(push, shelter, back)), Range.QUARTER)
    assert [stretch.kind for stretch in plots.stretches] == ["push_only", "push_only", "sheltered"]
    assert plots.stretches[2].width > 0.1
    assert plots.stretches[0].x == 0
    assert re.match(r"sheltered, \d+ Jan 2027, \d\d:\d\d UTC to", plots.stretches[2].title)


def test_marks_that_only_end_something_are_not_drawn() -> None:
    """A shelter is one pin, and what ended it is the end of its stretch."""
    marks = tuple(Mark(at_ms=NOW_MS - SECOND, seq=1, kind=kind, detail="why") for kind in MarkKind)
    plots = _drawn(_state(_past(1, on_time=1), marks=marks))
    assert {MarkKind.SHELTER_ENDED, MarkKind.REST_ENDED, MarkKind.ALARM_ENDED}.isdisjoint(plots.kinds)
    assert {MarkKind.MOVED, MarkKind.FELL, MarkKind.ALARM_RAISED, MarkKind.RELEASE} <= set(plots.kinds)


def test_a_quarter_is_drawn_in_a_hundred_buckets_and_no_more() -> None:
    """However long it runs, the page stays as large."""
    world: World = quarter()
    for chosen in Range:
        plots = over_time(world.state, world.now_ms, chosen)
        assert plots is not None
        assert 24 <= len(plots.buckets) <= 100
        assert all(0 <= bucket.x < 100 for bucket in plots.buckets)
