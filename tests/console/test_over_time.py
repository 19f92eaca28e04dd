"""The section over time: the default range, the table of figures, and the descriptions of plots."""

import re

import pytest

from sidecar.console.page.over_time import OverTime, Range, over_time
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.history import HOUR_MS, ByOutcome, Condition, Hour, Span, TimelineEvent
from sidecar.core.fold.state import State
from tests.console.quarter import quarter
from tests.core.world import World, on

NOW_MS = 1_800_003_600_000 - 1
"""The last millisecond of an hour."""
HOUR_NOW = NOW_MS // HOUR_MS


def _state(*hours: Hour, spans: tuple[Span, ...] = (), events: tuple[TimelineEvent, ...] = ()) -> State:
    """Return a state with these hours of history, and an empty present hour."""
    state = on(0).state
    history = state.history
    history.hours = list(hours)
    history.present = Hour(hour=HOUR_NOW)
    history.began = Hour(hour=HOUR_NOW)
    state.tally = type(state.tally)()
    state.now_ms = history.counted_ms = history.lease_until_ms = NOW_MS
    serving = Span(at_ms=0, mode=Mode.PUSH_ONLY, for_all=Mode.PUSH_ONLY, condition=Condition.SERVING)
    history.spans, history.events = list(spans) or [serving], list(events)
    return state


def _drawn(state: State, chosen: Range | None = Range.DAY) -> OverTime:
    plots = over_time(state, NOW_MS, chosen)
    assert plots is not None
    return plots


def _past(hours: int, **counts: int) -> Hour:
    return Hour(hour=HOUR_NOW - hours, outcomes=ByOutcome(**counts))


def test_there_are_no_plots_without_history() -> None:
    """An empty plot has no meaning."""
    assert over_time(State(), NOW_MS) is None


@pytest.mark.parametrize(
    ("age", "chosen"),
    [
        (0, Range.DAY), (23, Range.DAY), (24, Range.WEEK), (167, Range.WEEK), (168, Range.MONTH), (719, Range.MONTH),
        (720, Range.QUARTER), (2159, Range.QUARTER), (2160, Range.QUARTER), (9000, Range.QUARTER),
    ],
)  # fmt: skip
def test_the_default_range_fits_the_history_up_to_a_quarter(age: int, chosen: Range) -> None:
    """After one day of operation the plots show one day."""
    plots = _drawn(_state(_past(age, on_time=1)), None)
    assert [choice.range for choice in plots.choices if choice.is_chosen] == [chosen]


def test_the_figures_are_those_of_the_range() -> None:
    """The present hour is included, an hour a day ago is not, and an hour without payments has no row."""
    plots = _drawn(
        _state(_past(24, on_time=9), _past(23, on_time=1), _past(2), _past(1, on_time=2, late=3, unmeasured=4))
    )
    assert [tuple(row[number].text for number in (1, 2, 4, 5)) for row in plots.figures.rows] == [
        ("1", "0", "0", "100 %"),
        ("2", "3", "4", "40.0 %"),
    ]
    assert plots.summary == "In the last 24 hours, 3 of 6 judged payments were on time: 50.00 %."
    assert _drawn(_state(_past(1, unmeasured=2))).figures.rows[0][5].text == "\N{EN DASH}"


def test_rows_of_a_longer_range_are_days_from_midnight() -> None:
    """The payments of one day are one row, with their latencies."""
    early, late = [0, 0, 10, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 10, 0, 0, 0, 0, 0, 0]
    hours = [
        Hour(hour=HOUR_NOW - ago, outcomes=ByOutcome(on_time=10), latency=counts)
        for ago, counts in ((3, early), (2, late))
    ]
    state = _state(*hours)
    state.history.edges_ms = [[50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000]]
    (row,) = _drawn(state, Range.MONTH).figures.rows
    assert [row[number].text for number in (1, 6, 7)] == ["20", "250 ms", "475 ms"]
    assert row[0].moment is not None
    assert row[0].moment.iso.endswith("T00:00:00Z")


def test_each_plot_has_a_title_a_description_and_the_objective() -> None:
    """Screen readers read the title and the description."""
    world: World = quarter()
    plots = over_time(world.state, world.now_ms, Range.QUARTER)
    assert plots is not None
    for plot, reported in (
        (plots.modes, "push only was servable to everybody for"),
        (plots.outcomes, "payments on time"),
        (plots.reliability, "judged payments were on time"),
        (plots.latency, "50 % of the payments within about"),
    ):
        assert reported in plot
    assert "objective: 90 %" in plots.reliability
    assert "on time: under 2 s" in plots.latency
    assert len(plots.figures.rows) == 91


def test_ids_are_unique_over_all_plots_of_the_page() -> None:
    """A reference to a repeated id is ambiguous."""
    plots = _drawn(_state(_past(1, on_time=1)))
    ids = re.findall(r' id="([^"]+)"', plots.modes + plots.outcomes + plots.reliability + plots.latency)
    assert len(ids) == len(set(ids)) == 16
