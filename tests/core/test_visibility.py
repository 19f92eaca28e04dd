"""Can we see? Silences, jumps and holes in coverage, one millisecond apart on both sides of each boundary."""

import pytest

from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import SuspensionBegan, SuspensionEnded
from sidecar.core.fold.fold import next_deadline
from sidecar.core.fold.serving import Reason, served
from sidecar.core.fold.visibility import suspension_reason
from sidecar.core.statistics import coverage
from sidecar.core.statistics.coverage import Coverage
from tests.core.world import DAY, HOUR, LAX, MINUTE, SECOND, World, on

LEASE = LAX.lease_ms


def suspended_for(world: World) -> SuspensionReason | None:
    """Return why push is suspended."""
    assert world.state.policy is not None
    return suspension_reason(world.state, world.state.policy)


# fmt: off
VISIBILITY_GAPS = [
    # what happened,      for so long,   sees again,     suspended for,    falls
    ("silent",            LEASE,         "heartbeat",    0,            False),
    ("silent",            LEASE + 1,     "heartbeat",    3 * MINUTE,   False),
    ("silent",            DAY,           "heartbeat",    3 * MINUTE,   False),
    ("silent",            DAY + 1,       "heartbeat",    3 * MINUTE,   True),
    ("stopped",           1,             "heartbeat",    0,            False),
    ("stopped",           LEASE,         "heartbeat",    0,            False),
    ("stopped",           LEASE + 1,     "heartbeat",    3 * MINUTE,   False),
    ("stopped",           DAY + 1,       "heartbeat",    3 * MINUTE,   True),
    ("jumped",            LEASE,         "heartbeat",    0,            False),
    ("jumped",            LEASE + 1,     "heartbeat",    3 * MINUTE,   False),
    ("jumped",            -LEASE - 1,    "heartbeat",    3 * MINUTE,   False),
    ("jumped",            DAY + 1,       "heartbeat",    3 * MINUTE,   True),
    ("jumped",            -DAY - 1,      "heartbeat",    3 * MINUTE,   True),
]
# fmt: on


@pytest.mark.parametrize(("what", "span_ms", "again", "suspended_ms", "falls"), VISIBILITY_GAPS)
def test_a_visibility_gap_costs_by_its_length(
    what: str, span_ms: int, again: str, suspended_ms: int, *, falls: bool
) -> None:
    """On the wrong side of a boundary a night of visibility gap is served as push, or a blink costs three minutes."""
    world = on(2)
    match what:
        case "silent":
            world.sleep(span_ms)
        case "stopped":
            world.sleep(span_ms)
            world.start()
            assert suspended_for(world) is SuspensionReason.RECOVERING
        case _:
            world.jump(span_ms)
            assert suspended_for(world) is SuspensionReason.RECOVERING
    assert again == "heartbeat"
    world.beat()
    began_ms = world.now_ms
    assert (suspended_for(world) is not None) is (suspended_ms > 0)
    if suspended_ms:
        world.wait(suspended_ms - 1)
        assert suspended_for(world) is SuspensionReason.RECOVERING
        world.wait(1)
    assert suspended_for(world) is None
    assert world.now_ms - began_ms == suspended_ms
    assert world.state.flag.rung == (0 if falls else 2)
    assert world.state.indicators["payments"].epoch == (2 if falls else 1)


def test_only_a_heartbeat_ends_a_visibility_gap() -> None:
    """Any other fact may have been waiting in a queue: it proves nothing about now."""
    world = on(2)
    world.start()
    world.good(0)
    world.pay()
    world.ack("pi_x")
    assert world.mode() is Mode.TIMER_POLLING
    world.beat()
    assert world.mode() is Mode.PUSH_WITH_SAFETY_NET


def test_another_visibility_gap_while_recovering_begins_the_recovery_anew() -> None:
    """A sidecar that is frozen every other minute would otherwise recover in its sleep."""
    world = on(2)
    world.sleep(LEASE + 1)
    world.beat()
    world.wait(2 * MINUTE)
    world.sleep(LEASE + 1)
    world.beat()
    world.wait(3 * MINUTE - 1)
    assert suspended_for(world) is SuspensionReason.RECOVERING
    world.wait(1)
    assert suspended_for(world) is None


def test_a_long_visibility_gap_is_suspended_until_its_fall_has_landed() -> None:
    """Where nobody could append the fall, three minutes later push was served again on proof a day old."""
    world = on(2)
    world.decides = False
    world.sleep(DAY + 1)
    world.beat()
    world.wait(10 * MINUTE)
    assert (world.state.flag.rung, world.mode()) == (2, Mode.TIMER_POLLING)


# fmt: off
SOAKS = [
    # what the time is spent with,                                       soaked
    ("heartbeats",     lambda world: world.wait(40 * SECOND),            40 * SECOND),
    ("a lease",        lambda world: _silence(world, LEASE),             LEASE),
    ("over a lease",   lambda world: _silence(world, LEASE + 1),         0),
    ("a stop",         lambda world: _stop(world, 20 * SECOND),          0),
    ("a jump",         lambda world: _jump(world, 20 * SECOND),          0),
    ("recovering",     lambda world: _recover(world),                    0),
    ("an alarm",       lambda world: _alarm(world),                      0),
]
# fmt: on


@pytest.mark.parametrize(("what", "spend", "expected_ms"), SOAKS)
def test_time_that_was_not_seen_is_no_soak(what: str, spend: object, expected_ms: int) -> None:
    """A sidecar that was down all week, or restarted every half minute, would come back to a soak that is over."""
    world = on(1)
    world.decides = False
    world.beat()
    world.state.flag.soaked_ms = 0
    assert callable(spend)
    spend(world)
    assert world.state.flag.soaked_ms == expected_ms, what


def _silence(world: World, span_ms: int) -> None:
    world.sleep(span_ms)
    world.beat()


def _stop(world: World, span_ms: int) -> None:
    for _ in range(5):
        world.sleep(span_ms)
        world.start()
        world.beat()


def _jump(world: World, span_ms: int) -> None:
    world.sleep(span_ms)
    world.jump(span_ms)
    world.beat()


def _recover(world: World) -> None:
    world.sleep(LEASE + 1)
    world.beat()
    world.wait(3 * MINUTE)


def _alarm(world: World) -> None:
    world.bad(6)
    world.state.flag.soaked_ms = 0
    world.wait(1 * MINUTE)


# --- coverage


# fmt: off
FLOORS = [
    # judged, unmeasured,  suspended
    (16,      4,           False),
    (15,      4,           False),   # under 20 payments it only blocks climbing
    (15,      5,           True),
    (80,      20,          False),
    (80,      21,          True),
    (0,       19,          False),
    (0,       20,          True),
]
# fmt: on


@pytest.mark.parametrize(("judged", "unmeasured", "expected"), FLOORS)
def test_the_flag_is_suspended_where_too_few_payments_can_be_judged(
    judged: int, unmeasured: int, *, expected: bool
) -> None:
    """Proof about the few that can be judged says nothing about the many that cannot."""
    world = on(1)
    world.state.coverage = Coverage()
    for is_judged in [True] * judged + [False] * unmeasured:
        world.state.coverage.add(is_judged=is_judged, at_ms=world.now_ms)
    world.beat()
    assert suspended_for(world) is (SuspensionReason.COVERAGE if expected else None)


def test_five_payments_in_a_row_that_we_could_not_judge_make_the_flag_rest_until_one_is_judged() -> None:
    """A sidecar that stumbles over every payment sees nothing, whatever its heartbeats say."""
    world = on(2)
    for count in range(1, 6):
        world.pay()
        world.start()
        world.beat()
        assert suspended_for(world) is (SuspensionReason.UNMEASURED if count == 5 else None)
    world.good(1)
    assert suspended_for(world) is None
    assert isinstance(world.last(SuspensionBegan), SuspensionBegan)
    assert isinstance(world.last(SuspensionEnded), SuspensionEnded)


def test_what_is_not_our_fault_is_no_streak() -> None:
    """Stripe's retries say nothing about our eyes; they count against coverage."""
    world = on(2)
    for _ in range(3):
        world.pay(waited_s=10)
        world.pay(waited_s=None)
    assert world.state.visibility.streak == 0
    assert world.state.coverage.counts()[1] - world.state.coverage.counts()[0] == 6


def test_the_window_is_the_larger_of_a_day_and_the_last_two_hundred() -> None:
    """On a quiet site a day is three payments, and on a busy one two hundred are a minute."""
    seen = Coverage()
    for hour in range(300):
        seen.add(is_judged=hour % 2 == 0, at_ms=hour * HOUR)
        seen.forget(hour * HOUR)
    assert seen.counts() == (100, 200)
    for _ in range(500):
        seen.add(is_judged=True, at_ms=299 * HOUR)
    assert seen.counts() == (512, 525)
    assert len(seen.last) == 200
    assert len(seen.hours) == 25


@pytest.mark.parametrize(("minutes", "expected"), [(0, 0), (59, 0), (60, 1), (61, 1)])
def test_an_hour_leaves_the_window_when_all_of_it_is_a_day_old_and_not_before(minutes: int, expected: int) -> None:
    """Dropped an hour early, the unmeasured payments of yesterday evening were gone after twenty-three hours."""
    seen = Coverage()
    seen.add(is_judged=False, at_ms=10 * HOUR)
    assert seen.forget(34 * HOUR + minutes * MINUTE) is bool(expected)
    assert len(seen.hours) == 1 - expected


def test_the_floor_counts_from_twenty_payments() -> None:
    """The number in the table above."""
    assert coverage.SUSPEND_FROM == 20


# --- when to look again


def test_a_sidecar_that_beats_rarely_still_judges_every_payment() -> None:
    """With a lease of ten minutes payments waited for a heartbeat that came after we had given them up."""
    world = World(LAX)
    world.change(lease_ms=10 * MINUTE)
    world.wire()
    names = []
    for _ in range(10):
        names.append(world.pay())
        world.now_ms += 3 * SECOND
        world.ack(names[-1])
        deadline_ms = next_deadline(world.state)
        assert deadline_ms is not None
        world.now_ms = max(world.now_ms, deadline_ms)
        world.beat()
    world.wait(40 * SECOND)
    assert {ending for name in names for ending in world.endings(name)} == {"late"}


def test_a_rest_is_served_at_once() -> None:
    """Suspended in the state and pushing in the answer would be two accounts."""
    world = on(2)
    assert served(world.state, 0).reason is Reason.CURRENT_RUNG
    world.start()
    assert served(world.state, 0).reason is Reason.SUSPENDED


def test_a_stage_that_nothing_acks_is_not_served_on_the_proof_of_another() -> None:
    """With a deciding stage that nothing acks, every payment is `not_wired`: no alarm, no coverage, and push went on."""
    world = on(2)
    world.change(stage=Stage.REFRESHED)
    assert (world.state.flag.rung, world.mode()) == (0, Mode.TIMER_POLLING)
    world.good(100)
    assert (world.state.flag.rung, world.mode()) == (0, Mode.TIMER_POLLING)


def test_push_without_any_ack_of_its_stage_is_suspended_until_the_first() -> None:
    """A checkpoint of fold version 6 may have kept a push rung across a change of `acks.stage`."""
    world = on(2)
    world.state.first_ack_ms.clear()
    world.beat()
    assert suspended_for(world) is SuspensionReason.UNWIRED
    assert world.mode() is Mode.TIMER_POLLING
    world.ack("pi_delivered")
    assert suspended_for(world) is SuspensionReason.UNWIRED, "an ack without a payment proves nothing"
    world.ack(world.pay())
    assert suspended_for(world) is None
