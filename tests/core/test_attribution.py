"""What Reverb's own trouble excuses: the failures around it, and no others."""

import random

import pytest

from sidecar.core.facts.auth_probes import RoundTripOutcome
from sidecar.core.facts.observations import FallCause
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.disturbances import was_reverb_away
from sidecar.core.fold.serving import Reason, served
from sidecar.core.statistics.indicators import PAYMENTS
from tests.core.probed import ProbedWorld, probed
from tests.core.reporting import tell
from tests.core.world import HOUR, MINUTE, REFUSED, SECOND


def default(rung: int) -> ProbedWorld:
    """Return a probed world on a rung, under the default numbers."""
    world = probed(rung)
    world.change(reliability_ppm=990_000, unacceptable_reliability_ppm=950_000)
    world.prove()
    return world


def fail_round_trip(world: ProbedWorld) -> None:
    """Make one round trip fail, and the next ones succeed."""
    world.round_trip = RoundTripOutcome.SOCKETS_DOWN
    world.probe()
    world.recover()


def test_payments_that_fail_while_round_trips_are_well_make_the_flag_fall_at_the_first_alarm() -> None:
    """With 95 % of 40 a day, two round trips that had failed days ago excused every alarm: 70 payers in 30 days."""
    world, draw = default(2), random.Random(20_261_201)
    broken = 0
    for number in range(1200):
        if number % 200 == 0:
            fail_round_trip(world)
        if draw.random() < 0.05:
            broken += world.mode() is not Mode.TIMER_POLLING
            world.bad(every_ms=36 * SECOND)
        else:
            world.good(every_ms=36 * SECOND)
        if world.state.flag.rung == 0:
            break
    assert world.state.flag.rung == 0
    assert world.state.moves[-1].detail == "alarm of payments"
    assert world.state.flag.suspensions_ms == []
    assert broken <= 20


def test_a_failure_in_a_suspension_that_nothing_explains_is_still_counted() -> None:
    """A suspension of ten minutes hid what push itself failed in its second half."""
    world = default(2)
    world.fail()
    world.wait(20 * SECOND)
    world.recover()
    world.wait(3 * MINUTE)
    assert served(world.state, 0).reason is Reason.SUSPENDED
    for _ in range(3):
        world.bad()
    world.wait(2 * MINUTE)
    assert world.state.flag.rung == 0


@pytest.mark.parametrize(("first_ms", "second_ms", "is_explained"), [
    (-30 * SECOND, 0,              True),
    (-30 * SECOND - 1, 0,          False),   # the first of the two was too early
    (0,            62 * SECOND,    True),
    (0,            62 * SECOND + 1, False),  # the second was too late
])  # fmt: skip
def test_two_failed_round_trips_around_a_payment_explain_its_failure(
    first_ms: int, second_ms: int, *, is_explained: bool
) -> None:
    """From 30 s before its webhook until 60 s after its deadline, to the millisecond."""
    world = probed(0)
    began_ms = world.now_ms + MINUTE
    for at_ms in (first_ms, second_ms):
        world.now_ms = began_ms + at_ms
        fail_round_trip(world)
    assert was_reverb_away(world.state, began_ms, began_ms + 2 * SECOND) is is_explained


@pytest.mark.parametrize(("down_ms", "lasts_ms", "is_explained"), [
    (-10 * SECOND, 2 * SECOND,         True),
    (-10 * SECOND, 2 * SECOND - 1,     False),  # brief, and over before the payment
    (1 * SECOND,   1,                  True),   # brief, but in the payment's own time
    (61 * SECOND,  5 * SECOND,         False),  # only a second of it is near the payment
    (-40 * SECOND, 10 * SECOND - 1,    False),
    (-40 * SECOND, 12 * SECOND,        True),
])  # fmt: skip
def test_a_time_without_sockets_explains_what_is_near_it(down_ms: int, lasts_ms: int, *, is_explained: bool) -> None:
    """Real intervals: that a socket was ever down after the payment began says nothing."""
    world = probed(0)
    began_ms = world.now_ms + MINUTE
    world.now_ms = began_ms + down_ms
    world.observe(is_up=False)
    world.now_ms += lasts_ms
    world.observe(is_up=True)
    world.now_ms = max(world.now_ms, began_ms + 62 * SECOND)
    assert was_reverb_away(world.state, began_ms, began_ms + 2 * SECOND) is is_explained


@pytest.mark.parametrize(
    ("every_ms", "lasts_ms"), [(60 * SECOND, 500), (60 * SECOND, 5 * SECOND), (100 * SECOND, 20 * SECOND)]
)
def test_sockets_that_are_cut_again_and_again_do_not_make_reach_deaf(every_ms: int, lasts_ms: int) -> None:
    """Cut for half a second every minute, 200 of 200 payers whom push did not reach were excused."""
    world = probed(2)
    for number in range(200):
        world.observe(is_up=False)
        world.now_ms += lasts_ms
        world.observe(is_up=True)
        tell(world, f"u{number}", REFUSED)
        world.wait(every_ms - lasts_ms)
        if world.state.indicators["reach"].is_latched or world.state.flag.rung == 0:
            break
    assert number < 60, "the first half hour may be a short disturbance; what goes on is not"


def test_a_disturbance_that_has_ended_can_explain_again() -> None:
    """After three quiet minutes the next trouble is a new one."""
    world = probed(0)
    for _ in range(40):
        world.observe(is_up=False)
        world.now_ms += 30 * SECOND
        world.observe(is_up=True)
        world.now_ms += 30 * SECOND
    began_ms = world.now_ms - 30 * SECOND
    assert not was_reverb_away(world.state, began_ms, began_ms + 2 * SECOND)
    world.now_ms += 3 * MINUTE
    world.observe(is_up=False)
    began_ms = world.now_ms
    world.now_ms += 3 * SECOND
    world.observe(is_up=True)
    assert was_reverb_away(world.state, began_ms, began_ms + 2 * SECOND)


def test_what_can_explain_nothing_any_more_is_forgotten() -> None:
    """A year of trouble must not grow the state."""
    world = probed(0)
    for _ in range(300):
        fail_round_trip(world)
        world.observe(is_up=False)
        world.now_ms += 10 * SECOND
        world.observe(is_up=True)
        world.now_ms += 5 * MINUTE
    probing = world.state.probing
    assert len(probing.failed_round_trips_ms) <= 5
    assert len(probing.downs_ms) <= 5
    assert len(probing.disturbances_ms) <= 5


def test_an_unexplained_alarm_falls_even_after_the_suspension_has_begun() -> None:
    """The alarm was named a suspension; the failures that go on afterwards are push's own."""
    world = default(2)
    world.fail()
    world.observe(is_up=False)
    for _ in range(4):
        world.pay()
        world.wait(5 * SECOND)
    world.recover()
    world.observe(is_up=True)
    world.wait(2 * MINUTE)
    assert world.state.flag.suspension is not None
    assert world.state.flag.rung == 2
    world.bad(5)
    world.wait(62 * SECOND)
    assert world.state.flag.rung == 0
    assert world.state.indicators[PAYMENTS].is_unexplained


@pytest.mark.parametrize("stop_ms", [8 * SECOND, 25 * SECOND, 10 * MINUTE])
def test_a_fall_that_is_due_when_the_suspension_ends_is_not_forgiven(stop_ms: int) -> None:
    """After a pause or a restart one record brings about both: the end forgave the alarm of payments that failed."""
    world = default(2)
    world.fail()
    world.wait(20 * SECOND)
    world.recover()
    world.wait(5 * MINUTE)
    assert world.state.flag.suspension is not None
    until_ms = world.state.flag.suspension.until_ms
    world.wait(until_ms - 65 * SECOND - world.now_ms)
    for _ in range(12):
        world.pay(user=None)
    world.wait(60 * SECOND)
    world.now_ms = until_ms - 5 * SECOND + stop_ms
    if stop_ms > 8 * SECOND:
        world.start()
    world.beat()
    world.wait(2 * MINUTE)
    assert (world.state.flag.rung, world.state.moves[-1].cause) == (0, FallCause.ALARM)


def test_successes_alone_leave_nothing_to_attribute() -> None:
    """The queue is for failures and what follows them."""
    world = default(1)
    world.good(20)
    assert world.state.unattributed == []
    world.pay()
    world.wait(3 * SECOND)
    world.good(3)
    assert len(world.state.unattributed) == 4
    world.wait(2 * HOUR)
    assert world.state.unattributed == []
