"""Our own sources: whose silence is a visibility gap, and whose losses are nobody's misses."""

import pytest

from sidecar.core.facts.observations import AcksLost, Heartbeat
from sidecar.core.facts.outcomes import Unmeasured
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.suspensions import SuspensionReason
from tests.core.world import DAY, LAX, SECOND, World, on


def beat(world: World, *silent_sources: str) -> None:
    """Beat, with sources that did not answer."""
    world.see(Heartbeat(replica="a", beat=1, silent_sources=silent_sources))


def silent_for(world: World, span_ms: int) -> None:
    """Make the indicator be silent for so long, with a beat each second."""
    for _ in range(span_ms // SECOND):
        world.now_ms += SECOND
        beat(world, "ack_stream")
    world.now_ms += span_ms % SECOND
    beat(world, "ack_stream")


def test_a_payment_is_not_judged_while_a_source_is_silent_and_its_ack_may_wait_there() -> None:
    """Judged by the first beat before which every source answered, if that comes in time."""
    world = on(2)
    beat(world)
    name = world.pay()
    silent_for(world, LAX.on_time_within_ms + 5 * SECOND)
    assert world.endings(name) == []
    beat(world)
    assert world.endings(name) == [], "a failure at the deadline: it is late or missed, and the name comes later"
    assert world.state.journeys[name].is_good is False


@pytest.mark.parametrize(("waits_ms", "ends"), [(9_999, []), (10_000, ["unmeasured: cut_off"])])
def test_ten_seconds_after_its_deadline_it_is_given_up(waits_ms: int, ends: list[str]) -> None:
    """A source that is silent for longer leaves it out: nobody knows."""
    world = on(2)
    beat(world)
    name = world.pay()
    silent_for(world, LAX.on_time_within_ms)
    silent_for(world, waits_ms)
    assert world.endings(name) == ends


@pytest.mark.parametrize(("silent_ms", "mode"), [(0, "push_with_safety_net"), (1, "timer_polling")])
def test_a_source_that_is_silent_for_longer_than_a_lease_makes_the_flag_rest(silent_ms: int, mode: str) -> None:
    """Up to a lease it does not."""
    world = on(2)
    beat(world)
    silent_for(world, LAX.lease_ms + silent_ms)
    assert world.mode() is Mode(mode)
    assert world.state.visibility.suspension is (SuspensionReason.SOURCE_DOWN if silent_ms else None)


@pytest.mark.parametrize(("short_ms", "mode"), [(1, "timer_polling"), (0, "push_with_safety_net")])
def test_when_it_answers_again_push_waits_until_we_have_seen_for_long_enough(short_ms: int, mode: str) -> None:
    """As after any other visibility gap of more than a lease."""
    world = on(2)
    beat(world)
    silent_for(world, LAX.lease_ms + SECOND)
    world.now_ms += SECOND
    beat(world)
    assert world.state.visibility.suspension is SuspensionReason.RECOVERING
    world.wait(LAX.resume_after_ms - short_ms)
    assert world.mode() is Mode(mode)


def test_after_a_day_of_silence_the_old_proof_is_worth_nothing() -> None:
    """The bottom rung and a new epoch, as after any other visibility gap of so long."""
    world = on(2)
    beat(world)
    for _ in range(DAY // (20 * SECOND) + 2):
        world.now_ms += 20 * SECOND
        beat(world, "ack_stream")
    beat(world)
    assert world.state.flag.rung == 0
    assert world.state.moves[-1].cause == "blind"


def test_lost_acks_leave_out_what_is_not_judged_yet_and_count_against_coverage() -> None:
    """An ack that was removed unread may be anybody's; what was judged before was judged with every source read."""
    world = on(2)
    judged = world.pay()
    world.ack(judged)
    world.wait(LAX.on_time_within_ms)
    beat(world)
    pending = world.pay()
    before = world.state.coverage.counts()
    world.see(AcksLost(source="ack_stream", count=3))
    assert world.endings(judged) == ["on_time"]
    assert world.endings(pending) == [f"unmeasured: {Unmeasured.ACKS_LOST}"]
    assert world.state.coverage.counts() == (before[0], before[1] + 1)
    assert world.state.tally.lost_acks == 3


def test_five_payments_in_a_row_whose_acks_were_lost_make_the_flag_rest() -> None:
    """It is our own fault, however it came; one that can be judged ends it."""
    world = on(2)
    for number in range(5):
        assert world.state.visibility.suspension is None, number
        world.pay()
        world.see(AcksLost(source="ack_stream", count=None))
    assert world.state.visibility.suspension is SuspensionReason.UNMEASURED
    assert world.state.tally.lost_acks == 5
    world.good()
    assert world.state.visibility.suspension is None
