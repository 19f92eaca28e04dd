"""A webhook that a stalled event loop read late: the payment would look faster than it was."""

import msgspec
import pytest

from sidecar.core.facts.observations import PaymentSucceeded
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.facts.wire import decode
from tests.core.world import MINUTE, SECOND, World, on

# fmt: off
ROWS = [
    (2000,   0, "on_time"),
    (2000, 250, "on_time"),
    (2000, 251, "unmeasured: read_late"),
    (2000, 9_000, "unmeasured: read_late"),
    ( 100,  12, "on_time"),
    ( 100,  13, "unmeasured: read_late"),
    (8000, 999, "on_time"),
]
# fmt: on


@pytest.mark.parametrize(("within_ms", "late_ms", "ending"), ROWS)
def test_a_payment_read_over_an_eighth_of_the_limit_late_is_unmeasured(
    within_ms: int, late_ms: int, ending: str
) -> None:
    """With its ack read in the same moment, a broadcast of 9 s would be one of 0 ms."""
    world = on(1)
    world.change(on_time_within_ms=within_ms)
    name = world.pay(read_late_ms=late_ms)
    world.ack(name)
    world.wait(1 * MINUTE)
    assert world.endings(name) == [ending]


def test_a_redelivered_payment_that_was_read_late_stays_redelivered() -> None:
    """It has one reason, and that one may hide a failure."""
    world = on(1)
    assert world.endings(world.pay(waited_s=10, read_late_ms=900)) == ["unmeasured: redelivered"]


def test_before_the_first_ack_it_is_not_wired() -> None:
    """It counts nowhere, as every other payment then."""
    world = World()
    assert world.endings(world.pay(read_late_ms=900)) == ["unmeasured: not_wired"]


def test_five_in_a_row_suspend_push_and_a_judged_payment_resumes_it() -> None:
    """It is the sidecar's own fault: push may be well, and nobody can tell."""
    world = on(1)
    rung = world.state.flag.rung
    for _ in range(4):
        world.pay(read_late_ms=900)
    assert not world.state.suspension
    world.pay(read_late_ms=900)
    assert world.state.suspension is SuspensionReason.UNMEASURED
    world.good(1)
    world.wait(5 * SECOND)
    assert [world.state.suspension, world.state.flag.rung] == [None, rung]
    assert world.state.indicators["payments"].unmeasured == 5


def test_a_nameless_broadcast_of_a_late_payment_is_not_given_to_the_next_one() -> None:
    """Otherwise the payment after a stall would be on time by the broadcast of the one before."""
    world = World()
    world.broadcast(user="u2")
    first = world.pay(user="u2", read_late_ms=900)
    world.broadcast(user="u2")
    world.wait(1 * SECOND)
    second = world.pay(user="u2")
    world.wait(1 * MINUTE)
    assert world.endings(first)[0].startswith("unmeasured")
    assert world.endings(second) != ["on_time"]


def test_a_record_of_an_earlier_version_was_read_in_time_and_an_ordinary_one_does_not_grow() -> None:
    """The field is left out where it says nothing."""
    fact = PaymentSucceeded(payment_intent="pi_1", event_id="evt_1", created_s=1, signed_s=2)
    body = msgspec.json.encode(fact)
    assert b"late" not in body
    assert decode(body) == fact
    late = msgspec.structs.replace(fact, read_late_ms=400)
    assert decode(msgspec.json.encode(late)) == late
