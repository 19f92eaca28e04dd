"""What was, by the hour and by the change: adds up to the millisecond, whoever ticked, and stays small."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.facts.observations import Heartbeat, Observation, Record
from sidecar.core.facts.policy import PPM, Mode
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import SuspensionBegan
from sidecar.core.fold.fold import fold
from sidecar.core.fold.history import HOUR_MS, ByOutcome, ByTimers, Condition, summed
from sidecar.core.fold.history_writer import hours
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.core.fold.state import State, encode
from tests.core.lives import Life, Step, lives
from tests.core.world import DAY, LAX, SECOND, START_MS, on

T, S, P = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY
LEASE = LAX.lease_ms


# --- time adds up


UNSTABLE = "reverb_unstable"


class Watched(Life):
    """A life that writes down what is servable from each record to the next, in the plainest way."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, int, Mode, Mode, str]] = []
        """(from, until, mode for every share, mode for all, why)."""
        self.beat_ms: int | None = None
        self._since_ms = START_MS
        super().__init__()

    def append(self, observation: Observation) -> None:
        """Fold a fact, and write down what was servable before it."""
        was = served(self.state, 0), served(self.state, PPM - 1)
        if self.beat_ms is not None and self.state.policy is not None:
            until_ms = min(self.now_ms, self.beat_ms + LEASE)
            self.pieces.append((self._since_ms, until_ms, was[0].mode, was[1].mode, _why(was[0])))
        before = len(self.conclusions)
        super().append(observation)
        self._since_ms = self.now_ms
        if isinstance(observation, Heartbeat):
            self.beat_ms = self.now_ms
        elif self.beat_ms is not None and self.now_ms >= self.beat_ms + LEASE:
            self.beat_ms = None  # blind until the next heartbeat
        if SuspensionReason.REVERB_UNSTABLE in {
            conclusion.reason for conclusion in self.conclusions[before:] if isinstance(conclusion, SuspensionBegan)
        }:
            self._suspension()

    def _suspension(self) -> None:
        suspension = self.state.flag.suspension
        assert suspension is not None
        self.pieces = [
            (*piece[:4], UNSTABLE if piece[0] >= suspension.began_ms and piece[4] == Reason.ALARM else piece[4])
            for piece in self.pieces
        ]

    def expected(self) -> dict[tuple[int, str], int]:
        """Return the milliseconds of each hour, by what they were."""
        sums: collections.Counter[tuple[int, str]] = collections.Counter()
        for began_ms, until_ms, mode, for_all, reason in self.pieces:
            from_ms = began_ms
            while from_ms < until_ms:
                hour = from_ms // HOUR_MS
                to_ms = min(until_ms, (hour + 1) * HOUR_MS)
                why = [reason] if reason in {UNSTABLE, Reason.SUSPENDED} else []
                sums.update(
                    {(hour, what): to_ms - from_ms for what in (f"held {mode}", f"all {for_all}", "seen", *why)}
                )
                from_ms = to_ms
        return {key: spent for key, spent in sums.items() if spent}


def _why(answer: Served) -> str:
    return UNSTABLE if answer.suspension is SuspensionReason.REVERB_UNSTABLE else answer.reason


def result(state: State) -> dict[tuple[int, str], int]:
    """Return the same, as the history says."""
    sums: dict[tuple[int, str], int] = {}
    for hour in hours(state):
        for mode in Mode:
            sums[hour.hour, f"held {mode}"] = hour.served_ms[mode.rank]
            sums[hour.hour, f"all {mode}"] = hour.served_to_all_ms[mode.rank]
        sums[hour.hour, "seen"] = hour.seen_ms
        sums[hour.hour, UNSTABLE] = hour.reverb_unstable_ms
        sums[hour.hour, Reason.SUSPENDED] = hour.suspended_ms
    return {key: spent for key, spent in sums.items() if spent}


@given(lives)
def test_every_millisecond_is_counted_once_and_as_what_it_was(steps: list[Step]) -> None:
    """The gate counts time by it; what is counted here record by record, the fold counts by changes alone."""
    life = Watched()
    life.live(steps)
    assert result(life.state) == life.expected()


@given(lives)
def test_spans_say_the_same_as_the_hours(steps: list[Step]) -> None:
    """They are two views of one time; a gate that asks the one must not contradict a plot of the other."""
    life = Life()
    life.live(steps)
    history = life.state.history
    assert [span.at_ms for span in history.spans] == sorted({span.at_ms for span in history.spans})
    ends_ms = [*(span.at_ms for span in history.spans[1:]), min(life.state.now_ms, history.lease_until_ms)]
    sums: collections.Counter[Mode] = collections.Counter()
    for span, end_ms in zip(history.spans, ends_ms, strict=True):
        if span.condition is not Condition.BLIND:
            sums[span.for_all] += end_ms - span.at_ms
    for mode in Mode:
        assert sums[mode] == sum(hour.served_to_all_ms[mode.rank] for hour in hours(life.state))


@given(lives)
def test_what_hours_count_is_what_the_tally_counts(steps: list[Step]) -> None:
    """Two accounts that differ are believed by nobody."""
    life = Life()
    life.live(steps)
    tally, every = life.state.tally, hours(life.state)
    assert sum(hour.succeeded for hour in every) == tally.succeeded
    for name in ByOutcome.__struct_fields__:
        assert sum(getattr(hour.outcomes, name) for hour in every) == tally.outcomes.get(name, 0)  # type: ignore[call-overload]
    assert summed(every).unmeasured == {str(why): count for why, count in tally.unmeasured.items()}
    assert sum(hour.contradicted for hour in every) == tally.contradicted
    assert sum(hour.rescued for hour in every) == tally.rescued
    timers = ("true/paid", "false/paid", "true/push", "false/push")
    for key, name in zip(timers, ByTimers.__struct_fields__, strict=True):
        assert sum(getattr(hour.timers, name) for hour in every) == tally.timers.get(key, 0)
    for mode in Mode:
        assert sum(hour.reported[mode.rank] for hour in every) == tally.reported.get(mode, 0)
        assert sum(hour.refetches[mode.rank] for hour in every) == tally.refetches.get(mode, 0)
    indicators = life.state.indicators
    assert sum(hour.reach_good + hour.reach_bad for hour in every) == (
        indicators["reach"].good_total + indicators["reach"].bad_total
    )
    assert sum(hour.auth_probes_bad for hour in every) == indicators["channel_auth"].bad_total
    assert sum(hour.round_trips_ok for hour in every) == indicators["round_trips"].good_total


@given(lives, st.lists(st.booleans(), min_size=1))
def test_a_second_replica_that_ticks_changes_nothing(steps: list[Step], befores: list[bool]) -> None:
    """Whichever of two heartbeats in one millisecond is first: time passes once."""
    life = Life()
    life.live(steps)
    doubled: list[tuple[int, Observation]] = []
    for number, record in enumerate(life.records):
        tick = (record.at_ms, Heartbeat(replica="b", beat=number))
        fact = (record.at_ms, record.observation)
        if not isinstance(record.observation, Heartbeat):
            doubled.append(fact)
        elif befores[number % len(befores)]:
            doubled += [tick, fact]
        else:
            doubled += [fact, tick]
    state = State()
    for number, (at_ms, observation) in enumerate(doubled, start=1):
        fold(state, Record(seq=number, at_ms=at_ms, observation=observation))
    assert (hours(state), state.history.spans) == (hours(life.state), life.state.history.spans)


@given(lives)
def test_asking_for_the_hours_changes_nothing(steps: list[Step]) -> None:
    """A page that is looked at must not make this replica another than those that nobody looks at."""
    life = Life()
    life.live(steps)
    before = encode(life.state)
    hours(life.state)
    assert encode(life.state) == before


# --- borders


@pytest.mark.parametrize(("late_ms", "last_hour_ms"), [(-1, []), (0, [0]), (1, [1])])
def test_an_hour_ends_just_before_the_next(late_ms: int, last_hour_ms: list[int]) -> None:
    """Half-open: its last millisecond is its own, and the next hour begins with nothing."""
    world = on(2)
    border_ms = (world.now_ms // HOUR_MS + 1) * HOUR_MS
    world.wait(border_ms + late_ms - world.now_ms)
    assert [hour.seen_ms for hour in hours(world.state) if hour.hour == border_ms // HOUR_MS] == last_hour_ms
    assert world.state.history.hours == hours(world.state)[:-1]


@pytest.mark.parametrize(("asleep_ms", "is_blind"), [(LEASE, False), (LEASE + 1, True)])
def test_beyond_a_lease_without_a_heartbeat_nothing_was_servable(asleep_ms: int, *, is_blind: bool) -> None:
    """No replica answers push longer than that, whatever the state says."""
    world = on(2)
    began_ms = world.now_ms
    world.sleep(asleep_ms)
    world.beat()
    blind = [span for span in world.state.history.spans if span.condition is Condition.BLIND and span.at_ms > START_MS]
    assert [span.at_ms for span in blind] == [began_ms + LEASE] * is_blind


def test_days_of_visibility_gap_leave_no_hours() -> None:
    """Nothing was seen in them, and nothing is said of them."""
    world = on(2)
    world.sleep(3 * DAY)
    world.beat()
    assert [hour.hour for hour in hours(world.state)][-1] == world.now_ms // HOUR_MS
    assert len(hours(world.state)) <= 3
    assert hours(world.state)[-1].seen_ms == 0


def test_a_clock_that_was_set_thousands_of_years_ahead_is_folded_at_once() -> None:
    """Hour after hour it would take the fold minutes, at every start and on every replica, for one wrong stamp."""
    world = on(1)
    began_ms = world.now_ms
    world.sleep(10**15)
    world.beat()
    kept = hours(world.state)
    assert (kept[-1].hour, world.state.history.counted_ms <= world.now_ms) == (world.now_ms // HOUR_MS, True)
    assert all(hour.hour * HOUR_MS >= world.now_ms - 400 * DAY for hour in kept)
    assert world.now_ms - began_ms == 10**15


def test_a_payment_is_of_the_hour_in_which_it_came_and_its_outcome_of_that_in_which_it_was_named() -> None:
    """A second later is another hour."""
    world = on(2)
    border_ms = (world.now_ms // HOUR_MS + 1) * HOUR_MS
    world.wait(border_ms - 1 * SECOND - world.now_ms)
    before = hours(world.state)[-1]
    name = world.pay()
    world.ack(name)
    world.wait(5 * SECOND)
    first, second = hours(world.state)[-2:]
    assert (first.succeeded, first.outcomes.judged) == (before.succeeded + 1, before.outcomes.judged)
    assert (second.succeeded, second.outcomes) == (0, ByOutcome(on_time=1))
    assert sum(second.latency) == 1


def test_latency_is_counted_by_the_edges_of_its_time() -> None:
    """Another objective has another edge; both scales stay readable."""
    world = on(0)
    world.change(on_time_within_ms=3 * SECOND)
    world.good(3)
    world.wait(1 * HOUR_MS)
    world.good(5)
    world.change(on_time_within_ms=4 * SECOND)
    world.good(4)
    world.wait(1 * HOUR_MS)
    edges_ms = world.state.history.edges_ms
    first, second, third = hours(world.state)
    assert [sum(hour.latency) for hour in (first, second, third)] == [3, 4, 0]
    assert (3 * SECOND in edges_ms[first.edges], 4 * SECOND in edges_ms[first.edges]) == (True, False)
    assert (3 * SECOND in edges_ms[second.edges], 4 * SECOND in edges_ms[second.edges]) == (False, True)
    assert len(second.latency) == len(edges_ms[second.edges]) + 1
    assert second.latency_sum_ms == 4 * 300
