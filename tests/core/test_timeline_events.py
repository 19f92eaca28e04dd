"""What happened, and from when on it is known: spans, events, releases, and the bounds of them all."""

import msgspec
import pytest

from sidecar.core.facts.observations import (
    AckReceived,
    Checkpoint,
    Heartbeat,
    Observation,
    PaymentSucceeded,
    PolicyAdopted,
    Record,
)
from sidecar.core.facts.operator_actions import Noted
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.checkpoints import restored
from sidecar.core.fold.fold import fold
from sidecar.core.fold.history import (
    EVENTS_MAX,
    HOUR_MS,
    HOURS_MAX,
    SPANS_MAX,
    ByOutcome,
    ByTimers,
    Condition,
    EventKind,
    History,
    Hour,
    Span,
    TimelineEvent,
    by_mode,
)
from sidecar.core.fold.history_writer import hours
from sidecar.core.fold.state import Latency, State, encode
from tests.core.golden import checkpoint_path
from tests.core.probed import probed
from tests.core.world import LAX, MINUTE, SECOND, START_MS, World, on

T, S = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET


# --- spans and events


def test_a_suspension_is_one_from_its_alarm_on() -> None:
    """The minute in which it had no name yet is suspension, and not unreliability."""
    world = probed(2)
    world.fail()
    world.wait(30 * SECOND)
    world.recover()
    world.wait(15 * MINUTE)
    spans = world.state.history.spans[-2:]
    assert [(span.mode, span.condition) for span in spans] == [(T, Condition.REVERB_UNSTABLE), (S, Condition.SERVING)]
    began, ended = (mark for mark in world.state.history.events if mark.detail == SuspensionReason.REVERB_UNSTABLE)
    assert (began.kind, ended.kind) == (EventKind.SUSPENSION_BEGAN, EventKind.SUSPENSION_ENDED)
    assert spans[1].at_ms == ended.at_ms
    assert sum(hour.reverb_unstable_ms for hour in hours(world.state)) == ended.at_ms - spans[0].at_ms


def test_an_alarm_of_payments_that_is_named_a_suspension_was_one_all_along() -> None:
    """It is named a minute later, here in the next hour."""
    world = probed(2)
    border_ms = (world.now_ms // HOUR_MS + 1) * HOUR_MS
    world.wait(border_ms - 40 * SECOND - world.now_ms)
    for _ in range(20):
        world.pay()
    world.observe(is_up=False)
    world.wait(3 * SECOND)
    alarmed_ms = world.now_ms
    assert world.state.indicators["payments"].is_latched
    assert [span.condition for span in world.state.history.spans][-1:] == [Condition.ALARM]
    world.observe(is_up=True)
    world.wait(2 * MINUTE)
    assert world.state.flag.suspension is not None
    assert world.state.history.spans[-1].condition is Condition.REVERB_UNSTABLE
    assert world.state.history.spans[-1].at_ms == pytest.approx(alarmed_ms, abs=1 * SECOND)
    before, after = hours(world.state)[-2:]
    assert before.reverb_unstable_ms == border_ms - world.state.history.spans[-1].at_ms
    assert after.reverb_unstable_ms == world.now_ms - border_ms


def test_blind_time_is_no_suspension() -> None:
    """An alarm, a lapse, a heartbeat, and another lapse in which a probe brings the name."""
    world = probed(2)
    for _ in range(20):
        world.pay()
    world.observe(is_up=False)
    world.wait(3 * SECOND)
    world.sleep(40 * SECOND)
    world.beat()
    world.sleep(35 * SECOND)
    world.probe()
    assert world.state.flag.suspension is not None
    assert [span.condition for span in world.state.history.spans[-4:]] == ["reverb_unstable", "blind"] * 2
    reverb_unstable_ms = sum(hour.reverb_unstable_ms for hour in hours(world.state))
    assert (
        reverb_unstable_ms
        == 2 * LAX.lease_ms + world.now_ms - 75 * SECOND - world.state.indicators["payments"].alarmed_ms
    )


def test_a_suspension_that_ends_in_a_fall_has_ended() -> None:
    """Else a plot would shade it for ever."""
    world = probed(2)
    world.fail()
    world.wait(45 * MINUTE)
    kinds = [mark.kind for mark in world.state.history.events]
    assert world.state.flag.rung == 0
    assert kinds[kinds.index(EventKind.FELL) :][:2] == [EventKind.FELL, EventKind.SUSPENSION_ENDED]


def test_a_rung_for_some_is_not_servable_to_all() -> None:
    """Ten per cent are served push; whoever gates a removal asks for everybody."""
    world = on(1)
    world.wait(10 * SECOND)
    assert (world.state.history.spans[-1].mode, world.state.history.spans[-1].for_all) == (S, T)
    assert hours(world.state)[-1].served_ms[Mode.PUSH_WITH_SAFETY_NET.rank] > 0
    assert hours(world.state)[-1].served_to_all_ms == by_mode({Mode.TIMER_POLLING: hours(world.state)[-1].seen_ms})


def test_a_dry_run_serves_nobody() -> None:
    """However high its rung."""
    world = World(msgspec.structs.replace(LAX, dry_run=True))
    world.climb_to(2)
    assert {(span.mode, span.condition) for span in world.state.history.spans[1:]} <= {
        (T, Condition.DRY_RUN),
        (T, Condition.SUSPENDED),
    }


def test_what_happened_is_marked() -> None:
    """Each kind once at least, in the order of the records, with who and why."""
    world = probed(2)
    world.hold()
    world.see(Noted(actor="ann", text="the new queue", release="2026.48"))
    world.fail()
    world.wait(30 * SECOND)
    world.recover()
    world.wait(15 * MINUTE)
    world.sleep(10 * MINUTE)
    world.start()
    world.wait(10 * MINUTE)
    world.roll_back()
    events = world.state.history.events
    assert {mark.kind for mark in events} == set(EventKind)
    assert [mark.seq for mark in events] == sorted(mark.seq for mark in events)
    assert "hold by ann: launch day" in [mark.detail for mark in events]
    assert events[-1].detail.endswith("rollback, ann: a feeling")


def test_a_detail_is_cut() -> None:
    """A person may write five hundred characters, two thousand times."""
    world = on(0)
    world.see(Noted(actor="ann", text="x" * 500))
    assert len(world.state.history.events[-1].detail) == 200


# --- releases


def received(*said: tuple[int, str]) -> list[str]:
    """Return the releases that are marked when acks name these, at these minutes."""
    world = on(0)
    began_ms = world.now_ms
    for number, (minute, release) in enumerate(said):
        world.wait(began_ms + minute * MINUTE - world.now_ms)
        world.see(AckReceived(source="backend", stage=Stage.PAID, payment_intent=f"pi_of_{number}", release=release))
    return [mark.detail for mark in world.state.history.events if mark.kind is EventKind.RELEASE]


@pytest.mark.parametrize(
    ("said", "marked"),
    [
        ([(0, "a")], ["a"]),
        ([(0, "a"), (1, "a"), (60, "a")], ["a"]),
        ([(0, "a"), (1, "b"), (2, "a"), (3, "b")], ["a", "b"]),
        ([(0, "a"), (20, "b"), (29, "a")], ["a", "b", "a"]),
        ([(0, "a"), (1, "b"), (9, "a")], ["a", "b"]),
        ([(0, "a"), (1, "b"), (10, "a")], ["a", "b", "a"]),
        ([(0, "")], []),
    ],
)
def test_a_release_is_new_when_it_was_not_seen_lately(said: list[tuple[int, str]], marked: list[str]) -> None:
    """Two run side by side while one is rolled out; one that comes back later is a rollback, and a release again."""
    assert received(*said) == marked


def test_payments_since_a_release_are_counted_from_its_record_on() -> None:
    """What was judged before says nothing about what runs now."""
    world = on(0)
    before = world.state.indicators["payments"].good_total
    world.see(Noted(actor="ann", text="", release="2026.48"))
    world.good(3)
    assert world.state.history.judged_before_release == before
    assert (world.state.history.release, len(world.state.history.releases)) == ("2026.48", 1)


# --- bounds


def test_400_full_days_are_small() -> None:
    """A snapshot is written every minute, and a checkpoint every day."""
    mode = by_mode({Mode.TIMER_POLLING: 9999, Mode.PUSH_WITH_SAFETY_NET: 9999, Mode.PUSH_ONLY: 9999})
    held = by_mode({Mode.PUSH_WITH_SAFETY_NET: 600_000, Mode.PUSH_ONLY: 3_000_000})
    state = State()
    state.history = History(
        hours=[
            Hour(
                hour=500_000 + number,
                succeeded=9999,
                outcomes=ByOutcome(on_time=9999, late=99, missed=9, unmeasured=99),
                unmeasured={"redelivered": 90, "cut_off": 9},
                latency=[999] * 10,
                latency_sum_ms=9_999_999,
                timers=ByTimers(worked_paid=9999, failed_paid=99),
                reported=mode,
                refetches=mode,
                reach_good=9999,
                auth_probes_ok=60,
                round_trips_ok=720,
                served_ms=held,
                served_to_all_ms=held,
                suspended_ms=60_000,
                reverb_unstable_ms=60_000,
                seen_ms=3_600_000,
            )
            for number in range(HOURS_MAX)
        ],
        spans=[Span(at_ms=START_MS + at, mode=S, for_all=S, condition=Condition.SERVING) for at in range(SPANS_MAX)],
        events=[
            TimelineEvent(at_ms=START_MS + at, seq=at, kind=EventKind.SUSPENSION_BEGAN, detail="x" * 60)
            for at in range(EVENTS_MAX)
        ],
    )
    assert len(encode(state)) < 3_000_000


def test_the_history_is_bounded_and_says_from_when_on_it_is_complete() -> None:
    """A sidecar that restarts every ten seconds must not fill its journal with that."""
    world = on(0)
    history = world.state.history
    for _ in range(EVENTS_MAX // 2 + 10):
        world.start()
        world.beat()
        world.now_ms += 1 * SECOND
    assert len(history.events) == EVENTS_MAX
    assert START_MS < history.since_ms <= history.events[0].at_ms + 1
    known_ms = history.since_ms
    for number in range(SPANS_MAX + 1000):
        history.change(
            Span(at_ms=world.now_ms + number, mode=(T, S)[number % 2], for_all=T, condition=Condition.SERVING)
        )
    assert len(history.spans) == SPANS_MAX
    assert known_ms < history.since_ms == history.spans[0].at_ms


def test_hours_are_forgotten_after_400_days() -> None:
    """The oldest first."""
    world = on(0)
    first = world.now_ms // HOUR_MS
    world.state.history.hours = [
        Hour(hour=first - HOURS_MAX + 1, seen_ms=1),
        Hour(hour=first - HOURS_MAX + 2, seen_ms=1),
    ]
    world.wait(HOUR_MS)
    assert [hour.hour for hour in world.state.history.hours] == [first - HOURS_MAX + 2, first]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_the_history_of_an_older_checkpoint_begins_where_it_is_read(version: int) -> None:
    """What was counted before is in the tally, and in no hour: nobody knows in which."""
    state = restored(msgspec.json.decode(checkpoint_path(version).read_bytes(), type=Checkpoint))
    at_ms = state.now_ms + 5 * SECOND
    fold(state, Record(seq=state.seq + 1, at_ms=at_ms, observation=Heartbeat(replica="a", beat=1)))
    assert state.history.since_ms == at_ms
    assert sum(hour.outcomes.judged for hour in hours(state)) == 0
    assert [hour.seen_ms for hour in hours(state)] == [0]
    fold(state, Record(seq=state.seq + 1, at_ms=at_ms + SECOND, observation=Heartbeat(replica="a", beat=2)))
    assert sum(hour.seen_ms for hour in hours(state)) == 1 * SECOND


def test_the_first_latency_after_an_older_checkpoint_has_its_edges() -> None:
    """The tally may have counted none before it."""
    state = restored(msgspec.json.decode(checkpoint_path(4).read_bytes(), type=Checkpoint))
    state.tally.latency = Latency()
    facts: list[Observation] = [
        Heartbeat(replica="a", beat=1),
        PaymentSucceeded(payment_intent="pi_x", event_id="evt_x", created_s=1, signed_s=2),
        AckReceived(source="observer", stage=Stage.DELIVERED, payment_intent="pi_x"),
        *(Heartbeat(replica="a", beat=beat) for beat in range(2, 9)),
    ]
    for fact in facts:
        fold(state, Record(seq=state.seq + 1, at_ms=state.now_ms + SECOND, observation=fact))
    assert [sum(hour.latency) for hour in hours(state)] == [sum(state.tally.latency.counts)]
    assert sum(state.tally.latency.counts) > 0


def test_before_the_first_policy_there_is_no_history() -> None:
    """Nothing means anything yet."""
    state = State()
    assert hours(state) == []
    fold(state, Record(seq=1, at_ms=START_MS, observation=Heartbeat(replica="a", beat=1)))
    assert hours(state) == []
    adopted = PolicyAdopted(policy=LAX, policy_hash="h", adoption=0, actor="a", reason="r")
    fold(state, Record(seq=2, at_ms=START_MS + 7, observation=adopted))
    assert (state.history.since_ms, [mark.kind for mark in state.history.events]) == (START_MS + 7, [EventKind.POLICY])
