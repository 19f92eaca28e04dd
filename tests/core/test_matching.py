"""Acks that name no payment are matched by user and context; payments that are none of ours are watched for acks."""

import pytest

from sidecar.core.facts.observations import AckReceived, IgnoreReason
from sidecar.core.facts.policy import Stage
from sidecar.core.fold import journeys
from sidecar.core.fold.conclusions import FilterContradicted
from tests.core.world import SECOND, World

Steps = tuple[tuple[int, str], ...]


def inferring() -> World:
    """Return a world whose backend never names a payment, and is wired."""
    world = World()
    world.wire_by_user()
    world.wait(1 * SECOND)
    return world


def play(world: World, steps: Steps) -> None:
    """Make `a pays: pi` and `a broadcast` happen at their milliseconds, and then let a minute pass."""
    began_ms = world.now_ms
    for at_ms, what in steps:
        world.wait(began_ms + at_ms - world.now_ms)
        match what.split():
            case ["nobody", "pays:", name]:
                world.pay(user=None, name=name)
            case [user, "pays:", name]:
                world.pay(user=user, name=name)
            case [user, "other", "broadcast"]:
                world.broadcast(user, contexts=("credits",))
            case [user, "unnamed", "broadcast"]:
                world.broadcast(user, contexts=())
            case [user, _]:
                world.broadcast(user)
    world.wait(60 * SECOND)


# fmt: off
INFERRED = [
    (((0, "a pays: p1"), (1999, "a broadcast")),                                              {"p1": "on_time"}),
    (((0, "a pays: p1"), (2000, "a broadcast")),                                              {"p1": "late"}),
    (((0, "a pays: p1"), (29_999, "a broadcast")),                                            {"p1": "late"}),
    (((0, "a pays: p1"), (30_000, "a broadcast")),                                            {"p1": "missed"}),
    # only after the webhook, of the same user, and about bookings
    (((0, "a broadcast"), (1, "a pays: p1")),                                                 {"p1": "missed"}),
    (((0, "a pays: p1"), (300, "b broadcast")),                                               {"p1": "missed"}),
    (((0, "a pays: p1"), (300, "a other broadcast")),                                         {"p1": "missed"}),
    (((0, "a pays: p1"), (300, "a unnamed broadcast")),                                       {"p1": "on_time"}),
    (((0, "a pays: p1"), (300, "a other broadcast"), (400, "a broadcast")),                   {"p1": "on_time"}),
    # without a user nobody can say
    (((0, "nobody pays: p1"), (300, "a broadcast")),                                          {"p1": "unmeasured: no_user"}),
    # another broadcast in the window: which of them was it?
    (((0, "a pays: p1"), (300, "a broadcast"), (400, "a broadcast")),                         {"p1": "unmeasured: ambiguous"}),
    (((0, "a pays: p1"), (300, "a broadcast"), (2001, "a broadcast")),                        {"p1": "on_time"}),
    # oldest first, one payment each
    (((0, "a pays: p1"), (100, "a pays: p2"), (300, "a broadcast")),                          {"p1": "on_time", "p2": "missed"}),
    (((0, "a pays: p1"), (5000, "a pays: p2"), (5300, "a broadcast")),                        {"p1": "late", "p2": "missed"}),
    (((0, "a pays: p1"), (300, "a broadcast"), (2000, "a pays: p2"), (2300, "a broadcast")),  {"p1": "on_time", "p2": "on_time"}),
    (((0, "a pays: p1"), (100, "a pays: p2"), (300, "a broadcast"), (400, "a broadcast")),
     {"p1": "unmeasured: ambiguous", "p2": "unmeasured: ambiguous"}),
    (((0, "a pays: p1"), (0, "b pays: p2"), (300, "a broadcast"), (400, "b broadcast")),      {"p1": "on_time", "p2": "on_time"}),
]
# fmt: on


@pytest.mark.parametrize(("steps", "expected"), INFERRED)
def test_a_broadcast_settles_the_oldest_open_payment_of_its_user_only(steps: Steps, expected: dict[str, str]) -> None:
    """Each row is a way in which one broadcast could speak for two payments, or for another one's."""
    world = inferring()
    play(world, steps)
    assert {name: ", ".join(world.endings(name)) for name in expected} == expected
    assert world.state.by_user == {}


def test_once_acks_name_payments_a_broadcast_without_a_name_counts_for_none() -> None:
    """A nameless broadcast about anything else would excuse a payment whose own broadcast was lost."""
    world = World()
    world.wire()
    play(world, ((0, "a pays: p1"), (300, "a broadcast")))
    assert world.endings("p1") == ["missed"]


def test_payments_on_their_way_when_acks_begin_to_name_them_keep_the_broadcasts_they_had() -> None:
    """Otherwise all would be misses, and a better backend would make the flag fall."""
    world = inferring()
    for name in ("p1", "p2", "p3"):
        world.pay(user=name, name=name)
        world.broadcast(user=name)
    world.pay(user="p4", name="p4")
    world.wait(1)
    world.wire()
    world.wait(60 * SECOND)
    assert {name: world.endings(name) for name in ("p1", "p4")} == {"p1": ["on_time"], "p4": ["missed"]}
    assert not world.state.indicators["payments"].is_latched


# --- the filter


# fmt: off
CONTRADICTIONS = [
    (IgnoreReason.MISSING_METADATA, ("ignored", "delivered"),              1),
    (IgnoreReason.MISSING_METADATA, ("delivered", "ignored"),              1),
    (IgnoreReason.MISSING_METADATA, ("paid", "ignored", "delivered"),      1),
    (IgnoreReason.MISSING_METADATA, ("ignored", "paid", "delivered"),      1),
    (IgnoreReason.MISSING_METADATA, ("ignored", "ignored", "paid"),        1),
    (IgnoreReason.THIN_EVENT,       ("ignored", "paid"),                   1),
    (IgnoreReason.OTHER_LIVEMODE,   ("ignored", "delivered"),              0),   # a test system acks its own payments
    (IgnoreReason.OTHER_LIVEMODE,   ("delivered", "ignored"),              0),
    (IgnoreReason.MISSING_METADATA, ("ignored", "skipped"),                0),   # nothing was broadcast
    (IgnoreReason.MISSING_METADATA, ("ignored",),                          0),
]
# fmt: on


@pytest.mark.parametrize(("reason", "steps", "expected"), CONTRADICTIONS)
def test_an_ack_for_a_payment_that_was_left_out_proves_the_filter_wrong_once(
    reason: IgnoreReason, steps: tuple[str, ...], expected: int
) -> None:
    """A filter that leaves out the payments that matter must close the coverage gate, whichever comes first."""
    world = World()
    world.wire()
    for step in steps:
        if step == "ignored":
            world.ignore("pi", reason)
        else:
            world.ack("pi", Stage(step))
    world.wait(60 * SECOND)
    assert world.endings("pi") == [f"left out: {reason}"]
    assert world.state.tally.contradicted == expected
    assert world.state.coverage.counts() == (0, expected)
    assert len([one for one in world.conclusions if isinstance(one, FilterContradicted)]) == expected
    assert world.state.tally.ignored == {reason: 1}
    assert world.state.tally.unknown_acks == 0
    assert world.state.journeys == {}


@pytest.mark.parametrize("is_first", [True, False])
def test_a_payment_that_is_ours_by_its_twin_event_is_judged(*, is_first: bool) -> None:
    """Stripe may send a thin and a full event for one payment: the full one carries the metadata, and decides."""
    world = World()
    world.wire()
    if is_first:
        world.ignore("pi", IgnoreReason.THIN_EVENT)
    world.pay(name="pi")
    world.ignore("pi", IgnoreReason.THIN_EVENT)
    world.ack("pi")
    world.wait(60 * SECOND)
    assert world.endings("pi")[-1] == "on_time"
    assert world.state.tally.contradicted == 0
    assert (world.state.journeys, world.state.waiting_acks) == ({}, 0)


# --- acks whose payments never come


def test_an_ack_whose_payment_never_comes_is_forgotten_after_forty_seconds() -> None:
    """Another application's payments on the same backend would otherwise fill the memory."""
    world = World()
    world.ack("pi", Stage.PAID)
    world.wait(1 * SECOND)
    world.ack("pi", Stage.DELIVERED)
    world.wait(39 * SECOND - 1)
    assert (list(world.state.journeys), world.state.waiting_acks) == (["pi"], 1)
    world.wait(1)
    assert (list(world.state.journeys), world.state.waiting_acks, world.state.tally.unknown_acks) == ([], 0, 1)


def test_a_flood_of_acks_for_unknown_payments_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that acks a million payments which we never see must not take the memory of those that we do."""
    monkeypatch.setattr(journeys, "WAITING_ACKS_MAX", 3)
    world = World(decides=False)
    known = world.pay()
    for number in range(5):
        world.ack(f"flood_{number}")
    world.ack(known)
    assert (world.state.waiting_acks, world.state.tally.dropped_acks) == (3, 2)
    assert Stage.DELIVERED in world.state.journeys[known].acks
    world.wait(60 * SECOND)
    world.ack("later")
    assert (world.state.waiting_acks, world.state.tally.dropped_acks) == (1, 2)


def test_the_bound_on_waiting_acks_is_fifty_thousand() -> None:
    """The flood above runs with a bound of three."""
    assert journeys.WAITING_ACKS_MAX == 50_000


def test_payments_that_nobody_proves_us_able_to_see_do_not_pile_up() -> None:
    """Names that waited for a heartbeat were kept for ever while facts came and heartbeats did not."""
    world = World(decides=False)
    world.wire()
    for _ in range(100):
        world.pay()
        world.now_ms += 1 * SECOND
        world.see(
            AckReceived(source="backend", stage=Stage.PAID, payment_intent="pi_elsewhere", ack_id=str(world.now_ms))
        )
    assert len(world.state.awaiting) <= 10
    assert len(world.state.journeys) <= 32
