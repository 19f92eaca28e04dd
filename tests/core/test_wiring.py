"""Payments prove that acks arrive and name their payments; an ack alone proves nothing, and can do no harm."""

import msgspec
import pytest

from sidecar.core.facts.observations import AckReceived, SkipReason
from sidecar.core.facts.policy import Stage
from sidecar.core.fold import wiring
from sidecar.core.fold.state import State
from tests.core.probed import ProbedWorld
from tests.core.world import LAX, MINUTE, SECOND, World, on


def nameless(world: World, count: int, *, first: int = 0) -> list[str]:
    """Make payments of different users, each with an ack that names only its user, and return them."""
    names = []
    for number in range(first, first + count):
        names.append(world.pay(user=f"user_{number}"))
        world.now_ms += 300
        world.broadcast(f"user_{number}")
        world.wait(40 * SECOND)
    return names


def stray(world: World, kind: str) -> None:
    """Send an ack that belongs to no payment that succeeded before it."""
    match kind:
        case "by name":
            world.ack("pi_test")
        case "by user":
            world.broadcast("tinker")
        case "of another stage":
            world.ack("pi_test", Stage.PAID)
        case "skipped":
            world.ack("pi_test", Stage.SKIPPED, SkipReason.ALREADY_PAID)
        case "before its payment":
            world.ack("pi_guessed")
            world.wait(20 * SECOND)
            world.pay(name="pi_guessed")
        case "outside the filter":
            world.ack("pi_ignored")
            world.ignore("pi_ignored")
        case _:
            raise AssertionError(kind)


STRAYS = ("by name", "by user", "of another stage", "skipped", "before its payment", "outside the filter")


@pytest.mark.parametrize("kind", STRAYS)
def test_a_stray_ack_wires_nothing(kind: str) -> None:
    """One test ack turned 560 payments into misses: every one until the backend began to send acks."""
    world = World()
    stray(world, kind)
    for _ in range(30):
        world.bad()
    world.wait(1 * MINUTE)
    indicator = world.state.indicators["payments"]
    assert (world.state.wired_ms, world.state.is_exact) == (None, False)
    assert (indicator.good, indicator.bad, indicator.is_latched) == (0, 0, False)
    assert world.state.coverage.counts() == (0, world.state.tally.contradicted)


@pytest.mark.parametrize("kind", STRAYS)
def test_a_stray_ack_among_nameless_ones_does_not_make_matching_exact(kind: str) -> None:
    """1 200 of 1 200 payments with a nameless ack each were misses, for ever."""
    world = World()
    world.wire_by_user()
    nameless(world, 3)
    stray(world, kind)
    names = nameless(world, 30, first=3)
    assert {ending for name in names for ending in world.endings(name)} == {"on_time"}
    assert (world.state.is_exact, world.state.indicators["payments"].epoch) == (False, 1)


@pytest.mark.parametrize("waited_s", [1, 10, None])
@pytest.mark.parametrize("is_ack_first", [True, False])
def test_an_ack_and_its_webhook_wire_in_either_order(waited_s: int | None, *, is_ack_first: bool) -> None:
    """The backend's webhook is often the faster one, so that its ack is there before the sidecar's."""
    world = World()
    if is_ack_first:
        world.ack("pi")
        world.now_ms += 300
        world.pay(name="pi", waited_s=waited_s)
    else:
        world.pay(name="pi", waited_s=waited_s)
        world.now_ms += 300
        world.ack("pi")
    is_placed = waited_s is not None or not is_ack_first  # nothing bounds the clock of one that was never delivered
    assert (world.state.wired_ms, world.state.is_exact) == (world.now_ms, True)
    assert is_placed or world.state.stripe_ahead_ms == []


def test_payments_judged_between_an_ack_and_its_webhook_are_not_wired() -> None:
    """Between the two nobody knew whether the ack was one of a payment."""
    world = World()
    between = world.pay()
    world.ack("pi_late_webhook")
    world.wait(3 * SECOND)
    world.pay(name="pi_late_webhook")
    after = world.pay()
    world.wait(1 * MINUTE)
    assert world.endings(between) == ["unmeasured: not_wired"]
    assert (world.endings("pi_late_webhook"), world.endings(after)) == (["on_time"], ["missed"])


def test_each_stage_is_wired_by_itself_and_stays_so_when_the_policy_moves_to_it_and_back() -> None:
    """A change of `acks.stage` must neither take the proof of another stage, nor lose that of the first."""
    world = on(1)
    world.change(stage=Stage.REFRESHED)
    assert Stage.REFRESHED not in world.state.first_ack_ms
    world.change(stage=Stage.DELIVERED)
    assert (world.state.wired_ms, world.state.is_exact) == (world.state.first_ack_ms[Stage.DELIVERED], True)
    world.ack(world.pay(), Stage.REFRESHED)
    world.change(stage=Stage.REFRESHED)
    assert (world.state.wired_ms, world.state.is_exact) == (world.now_ms, True)


def test_a_stray_ack_does_not_say_that_all_users_are_covered() -> None:
    """Where only users' own channels are watched, one made misses of all payments of users who are not."""
    world = ProbedWorld()
    world.watch("u1")
    world.pay(user="u1")
    world.broadcast("u1", source="user_channel")
    for name in ("pi_test", None):
        world.see(AckReceived(source="observer", stage=Stage.DELIVERED, payment_intent=name, user_ref="nobody"))
    name = world.pay(user="u2")
    world.wait(40 * SECOND)
    assert world.endings(name) == ["unmeasured: not_watched"]
    assert not world.state.probing.tells_of_all


def test_after_twenty_payments_in_a_row_with_nameless_acks_only_they_are_inferred_again() -> None:
    """A backend that goes back to the broadcast without a name would otherwise be an outage for ever."""
    world = on(0)
    world.good(3)
    misses = nameless(world, wiring.NAMELESS_MAX - 1)
    assert world.state.is_exact
    last = nameless(world, 1, first=100)
    payments = world.state.indicators["payments"]
    assert {ending for name in [*misses, *last] for ending in world.endings(name)} == {"missed"}
    assert (world.state.is_exact, payments.epoch, payments.good, payments.bad) == (False, 2, 0, 0)
    assert {ending for name in nameless(world, 5, first=200) for ending in world.endings(name)} == {"on_time"}
    world.good(1)
    assert (world.state.is_exact, payments.epoch) == (True, 3)


def test_a_guard_version_falls_with_the_exactness() -> None:
    """A climb to `push_only` that was decided while acks were exact must not land when they no longer are."""
    world = on(0)
    world.decides = False
    nameless(world, 19)
    world.pay(user="last")
    world.broadcast("last")
    world.wait(30 * SECOND - 1)
    before = world.state.flag.guard_version
    world.now_ms += 1
    world.beat()
    assert not world.state.is_exact
    assert world.state.flag.guard_version > before


@pytest.mark.parametrize("between", ["named", "named late"])
def test_a_payment_with_a_named_ack_begins_the_count_anew(between: str) -> None:
    """While nodes with and without the new code run side by side, acks still name their payments."""
    world = on(0)
    nameless(world, 19)
    name = world.pay()
    world.wait(20 * SECOND if between == "named late" else 300)
    world.ack(name)
    world.wait(40 * SECOND)
    nameless(world, 19, first=50)
    assert world.state.is_exact
    nameless(world, 1, first=90)
    assert not world.state.is_exact


def test_payments_without_any_ack_and_acks_of_other_stages_say_nothing_about_names() -> None:
    """In an outage no ack comes at all: that is no reason to believe acks that name nobody."""
    world = on(0)
    world.bad(30)
    for _ in range(30):
        name = world.pay()
        world.see(AckReceived(source="backend", stage=Stage.PAID, user_ref="u1"))
        world.ack(name, Stage.PAID)
        world.wait(40 * SECOND)
    assert world.state.is_exact
    assert world.state.nameless_count == 0


def test_nameless_acks_during_exact_matching_name_no_payment_late() -> None:
    """A failed payment whose user got some other broadcast was `late` instead of `missed`."""
    world = on(0)
    name = world.pay()
    world.wait(5 * SECOND)
    world.broadcast()
    world.wait(1 * MINUTE)
    assert world.endings(name) == ["missed"]
    assert world.state.tally.latency.counts == [] or sum(world.state.tally.latency.counts) == 0


def test_what_version_six_recorded_counts_as_it_is() -> None:
    """A checkpoint from before does not say whether its first acks matched; its installation runs."""
    state = State(first_ack_ms={Stage.DELIVERED: 5}, first_named_ack_ms={Stage.DELIVERED: 7})
    state.policy = LAX
    assert (state.wired_ms, state.is_exact) == (5, True)
    state.policy = msgspec.structs.replace(LAX, stage=Stage.PAID)
    assert (state.wired_ms, state.is_exact) == (None, False)


# --- a broadcast that is late, though the backend skipped


@pytest.mark.parametrize("reason", [SkipReason.ALREADY_PAID, SkipReason.NO_BOOKING])
@pytest.mark.parametrize("is_named", [True, False])
def test_half_of_1200_broadcasts_twenty_seconds_late_are_600_bad(reason: SkipReason, *, is_named: bool) -> None:
    """Stripe's second delivery to the backend said `already_paid`, and every late broadcast left the numbers."""
    world = World(decides=False)
    if is_named:
        world.wire()
    else:
        world.wire_by_user()
    for number in range(1200):
        user = f"user_{number}"
        name = world.pay(user=user)
        world.now_ms += 200
        world.ack(name, Stage.SKIPPED, reason)
        world.wait(100 if number % 2 else 20 * SECOND)
        if is_named:
            world.ack(name)
        else:
            world.broadcast(user)
        world.wait(3 * SECOND)
    world.wait(1 * MINUTE)
    indicator = world.state.indicators["payments"]
    assert (indicator.good, indicator.bad) == (600, 600)
    assert world.state.tally.skipped == {}


def test_a_broadcast_of_a_user_goes_to_the_payment_that_the_backend_did_not_skip() -> None:
    """Else a double payment takes the broadcast of the next one, and both are failures."""
    world = World()
    world.wire_by_user()
    skipped = world.pay()
    world.ack(skipped, Stage.SKIPPED, SkipReason.NO_BOOKING)
    world.wait(5 * SECOND)
    name = world.pay()
    world.now_ms += 300
    world.broadcast()
    world.wait(3 * MINUTE)
    assert world.endings(skipped) == ["left out: no_booking"]
    assert world.endings(name) == ["on_time"]


def test_an_excuse_counts_only_after_a_heartbeat_at_its_end() -> None:
    """The late ack may wait in a source that was not read: no proof of liveness, no excuse."""
    world = World()
    world.wire()
    name = world.pay()
    world.ack(name, Stage.SKIPPED, SkipReason.ALREADY_PAID)
    world.wait(119 * SECOND)
    world.sleep(10 * SECOND)
    assert world.endings(name) == []
    world.sleep(2 * SECOND)
    world.beat()
    assert world.endings(name) == ["unmeasured: cut_off"]


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("after_ms", [119_999, 120_000, 120_050])
def test_a_broadcast_at_the_end_of_the_excuse_is_one_failure(after_ms: int, *, is_named: bool) -> None:
    """Before the heartbeat that would have ended it, it was judged, and by that heartbeat again: two failures of one."""
    world = World()
    if is_named:
        world.wire()
    else:
        world.wire_by_user()
    name, paid_ms = world.pay(), world.now_ms
    world.ack(name, Stage.SKIPPED, SkipReason.ALREADY_PAID)
    world.wait(110 * SECOND)
    world.now_ms = paid_ms + after_ms
    if is_named:
        world.ack(name)
    else:
        world.broadcast()
    world.wait(1 * MINUTE)
    assert world.endings(name) == ["late"]
    assert (world.state.indicators["payments"].bad_total, world.state.coverage.counts()) == (1, (1, 1))
