"""A journal whose stamps are a day in the future: what happens until the wall clock has passed them."""

import pytest

from sidecar.core.facts.observations import Started
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.windows import Once
from sidecar.core.fold.freezes import in_force
from tests.core.world import DAY, HOUR, LAX, MINUTE, SECOND, World, on


def ahead() -> World:
    """Return a world on rung 1 whose wall clock was a day ahead, and was set back while the sidecar ran."""
    world = on(1)
    world.jump(-1 * DAY)
    world.wait(10 * MINUTE)
    return world


def stop(world: World, wall_ms: int) -> None:
    """Stop the sidecar for so long on the wall clock: the journal's clock stands still while it is ahead."""
    left_ms = world.state.clock_ahead_ms - wall_ms
    world.now_ms += max(0, -left_ms)
    world.see(Started(replica="a", version="test", clock_ahead_ms=left_ms if left_ms >= MINUTE else 0))
    world.beat()


def test_deadlines_soak_and_climbs_go_on_as_ever() -> None:
    """They are durations on the journal's clock, which goes on evenly."""
    world = ahead()
    assert world.state.clock_ahead_ms == DAY
    soaked_ms = world.state.flag.soaked_ms
    world.wait(30 * SECOND)
    assert world.state.flag.soaked_ms == soaked_ms + 30 * SECOND
    good, late = world.pay(), world.pay()
    world.ack(good)
    world.wait(2 * SECOND)
    world.ack(late)
    world.wait(1 * MINUTE)
    assert (world.endings(good), world.endings(late)) == (["on_time"], ["late"])
    world.good(60)
    assert world.state.flag.rung == 2


def test_a_cool_down_lasts_as_long_as_it_should_while_the_sidecar_runs() -> None:
    """A stop does not shorten it: the journal's clock stood still."""
    world = ahead()
    world.outage()
    world.good(60)
    until_ms = world.state.flag.cooldown_until_ms
    assert until_ms - world.state.flag.since_ms == LAX.cooldown_ms
    stop(world, 2 * HOUR)
    assert world.now_ms < until_ms


# fmt: off
STOPS = [
    # the stop    recovery until              a fall
    (10 * SECOND, 0,                          False),    # within a lease
    (1 * HOUR,    LAX.resume_after_ms,        False),
    (23 * HOUR,   LAX.resume_after_ms,        False),
    (25 * HOUR,   LAX.resume_after_ms,        True),     # an hour by the stamps
]
# fmt: on


@pytest.mark.parametrize(("span_ms", "recovers_ms", "is_fall"), STOPS)
def test_a_stop_that_the_stamps_do_not_show_counts_by_its_real_length(
    span_ms: int, recovers_ms: int, *, is_fall: bool
) -> None:
    """The journal's clock stood still: a stop of 25 h was one of an hour, and push went on without a new proof."""
    world = ahead()
    world.decides = False
    stop(world, span_ms)
    visibility = world.state.visibility
    assert max(0, visibility.recover_until_ms - world.now_ms) == recovers_ms
    assert visibility.is_fall_due is is_fall
    assert world.state.clock_ahead_ms == max(0, DAY - span_ms)
    assert world.mode() is Mode.TIMER_POLLING or span_ms <= LAX.lease_ms


def test_a_start_right_after_the_clock_was_corrected_is_no_gap() -> None:
    """What was not known before cannot be compared."""
    world = on(1)
    world.see(Started(replica="a", version="test", clock_ahead_ms=DAY))
    assert not world.state.visibility.is_fall_due
    assert world.state.clock_ahead_ms == DAY


def test_a_freeze_goes_by_the_clock_of_the_journal() -> None:
    """Its times are shifted, and status, console and the answer to the command say by how much."""
    world = ahead()
    world.freeze("term", Once(from_ms=world.now_ms - DAY, until_ms=world.now_ms + HOUR))
    assert in_force(world.state)
    world.wait(1 * HOUR)
    assert not in_force(world.state)
