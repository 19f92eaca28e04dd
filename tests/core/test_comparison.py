"""The table that this project exists for: timers beside push, from measurements, each with its basis."""

import pytest

from sidecar.core.facts.policy import Stage
from sidecar.core.fold.state import State
from sidecar.core.release.comparison import Measured, comparison
from tests.core.world import LAX, SECOND, World


def pays(world: World, *, waited_s: int = 0, acks: tuple[tuple[int, Stage], ...]) -> None:
    """Make a payment be acked at these milliseconds after its webhook, and end."""
    name, began_ms = world.pay(waited_s=waited_s), world.now_ms
    for at_ms, stage in acks:
        world.wait(began_ms + at_ms - world.now_ms)
        world.ack(name, stage)
    world.wait(31 * SECOND)


def test_the_table_of_the_seed_comes_out_of_a_world_like_the_seeds() -> None:
    """About 90 % and three requests with timers, all and at most two with push: here is where it must stand."""
    world = World(LAX)
    world.wire()
    for number in range(50):
        pays(world, waited_s=6 if number % 10 == 9 else 1, acks=((100, Stage.PAID), (300, Stage.DELIVERED)))
    table = comparison(world.state)
    assert (table.timers.worked, table.timers.judged, table.timers.reliability_ratio) == (45, 50, 0.9)
    assert (table.push.worked, table.push.judged, table.push.reliability_ratio) == (50, 50, 1.0)
    assert (table.timers.requests_per_payment, table.push.requests_per_payment) == (3, 2)
    assert table.timers.reliability_basis == "the booking was committed within 5 s of the payment"
    assert table.push.reliability_basis == "stage `delivered` in time after the webhook"
    assert table.timers.lower_bound_ratio is None
    assert table.push.lower_bound_ratio is not None
    assert LAX.reliability_ppm / 1e6 <= table.push.lower_bound_ratio < 1


PAID, DISPATCHED, DELIVERED = Stage.PAID, Stage.DISPATCHED, Stage.DELIVERED

# fmt: off
TIMERS = [
    # Stripe's wait, acks after the webhook,          the backend says `paid`, would timers have worked?
    (0, ((4999, PAID), (5500, DELIVERED)),            True,                    True),
    (0, ((5000, PAID), (5500, DELIVERED)),            True,                    False),
    (4, ((999, PAID), (1100, DELIVERED)),             True,                    True),
    (4, ((1000, PAID), (1100, DELIVERED)),            True,                    False),
    (9, ((100, PAID), (300, DELIVERED)),              True,                    False),
    (0, ((300, DELIVERED),),                          True,                    True),    # its `paid` was lost: but it was
    (0, (),                                           True,                    False),
    (0, ((4999, DELIVERED),),                         False,                   True),
    (0, ((5000, DELIVERED),),                         False,                   False),
    (0, ((400, DISPATCHED), (9000, DELIVERED)),       False,                   True),
    (0, (),                                           False,                   False),
]
# fmt: on


@pytest.mark.parametrize(("waited_s", "acks", "has_paid", "expected"), TIMERS)
def test_timers_work_if_the_booking_was_paid_before_the_last_of_them(
    waited_s: int, acks: tuple[tuple[int, Stage], ...], *, has_paid: bool, expected: bool
) -> None:
    """A comparison that counts against the timers what it does not know would sell push on a lie."""
    world = World(LAX)
    world.wire()
    if has_paid:
        world.ack("pi_before_everything", Stage.PAID)
    pays(world, waited_s=waited_s, acks=acks)
    timers = comparison(world.state).timers
    assert (timers.judged, timers.worked) == (1, int(expected))
    assert timers.reliability_basis.startswith("the booking was" if has_paid else "the broadcast was")


def test_what_was_not_judged_is_in_neither_column() -> None:
    """A payment that says nothing about push but counts for timers would compare two different crowds."""
    world = World(LAX)
    world.wire()
    pays(world, waited_s=10, acks=((300, Stage.DELIVERED),))
    table = comparison(world.state)
    assert (table.timers.judged, table.push.judged) == (0, 0)
    assert (table.timers.reliability_ratio, table.push.reliability_ratio) == (None, None)


def test_before_anything_is_known_nothing_is_claimed() -> None:
    """A first look at an empty journal must neither divide by zero nor show 100 %."""
    table = comparison(State())
    assert isinstance(table.timers, Measured)
    assert (table.timers.reliability_ratio, table.push.reliability_ratio) == (None, None)
    assert table.push.lower_bound_ratio is None


def test_after_a_fall_nothing_is_proven_until_the_next_epoch() -> None:
    """A bound from before the outage is the old glory that the fall has taken away."""
    world = World(LAX)
    world.climb_to(1)
    world.outage()
    assert comparison(world.state).push.lower_bound_ratio is None
