"""Payments that the sidecar did not see count against coverage; on `push_only` coverage has a floor of its own."""

import pytest

from sidecar.core.decision.gates import gates
from sidecar.core.facts.observations import AckReceived, SkipReason
from sidecar.core.facts.policy import Stage
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import unaccounted
from sidecar.core.fold.history_writer import hours
from sidecar.core.fold.state import State
from sidecar.core.statistics.coverage import Coverage
from tests.core.world import MINUTE, SECOND, World, on

Steps = tuple[tuple[int, str], ...]


def uncovered(world: World) -> int:
    """Return how many payments count against coverage."""
    judged, total = world.state.coverage.counts()
    return total - judged


# fmt: off
UNACCOUNTED = [
    # what is received of `pi`, in milliseconds                                          counted
    (((0, "delivered"),),                                                                1),
    (((0, "paid"), (100, "dispatched"), (300, "delivered")),                             1),
    (((0, "paid"), (39_000, "delivered"), (50_000, "refreshed")),                        1),
    (((0, "skipped: no_booking"),),                                                      1),
    (((0, "skipped: failed"),),                                                          1),
    (((0, "skipped: already_paid"),),                                                    0),   # Stripe's retries to the backend
    (((0, "skipped"),),                                                                  0),
    (((0, "of other contexts"),),                                                        0),
    # its webhook came, too soon or too late
    (((0, "delivered"), (1000, "pays")),                                                 0),
    (((0, "pays"), (300, "delivered"), (90_000, "refreshed")),                           0),
    (((0, "pays"), (3_600_000, "delivered")),                                            0),
    (((0, "ignored"), (90_000, "delivered")),                                            0),
    (((0, "delivered"), (90_000, "pays: redelivered")),                                  1),   # once
    (((0, "delivered"), (90_000, "pays: redelivered"), (200_000, "delivered again")),    1),
    # it came, and the backend knows no such booking
    (((0, "pays"), (300, "skipped: no_booking")),                                        1),
    (((0, "pays"), (300, "skipped: already_paid")),                                      0),
]
# fmt: on


def happen(world: World, what: str) -> None:
    """Make one step of a row happen to `pi`."""
    match what.split(": "):
        case ["pays"]:
            world.pay(name="pi")
        case ["pays", _]:
            world.pay(name="pi", waited_s=90)
        case ["ignored"]:
            world.ignore("pi")
        case ["of other contexts"]:
            world.see(AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent="pi", contexts=("credits",)))
        case ["delivered again"]:
            world.see(AckReceived(source="observer", stage=Stage.DELIVERED, payment_intent="pi"))
        case ["skipped", reason]:
            world.ack("pi", Stage.SKIPPED, SkipReason(reason))
        case _:
            world.ack("pi", Stage(what))


@pytest.mark.parametrize(("steps", "expected"), UNACCOUNTED)
def test_acks_of_payments_without_a_webhook_count_against_coverage_once(steps: Steps, expected: int) -> None:
    """Where Stripe's webhooks do not arrive, everything that does could be judged: coverage said 100 %."""
    world = World()
    world.wire()
    began_ms = world.now_ms
    for at_ms, what in steps:
        world.wait(began_ms + at_ms - world.now_ms)
        happen(world, what)
    world.wait(4 * MINUTE)
    assert uncovered(world) == expected
    assert sum(hour.uncovered for hour in hours(world.state)) == expected
    assert world.state.journeys == {}


def test_before_the_first_match_no_ack_counts_against_coverage() -> None:
    """Test acks while the backend is being connected would close the gate for the first two hundred payments."""
    world = World()
    world.ack("pi_test")
    world.wait(10 * SECOND)
    world.wire()
    world.wait(2 * MINUTE)
    assert world.state.coverage.counts() == (0, 0)


def test_a_flood_of_forged_acks_lowers_coverage_and_nothing_else() -> None:
    """Whoever holds the token of `POST /acks` can bring the flag to timers, and not to push."""
    world = on(2)
    before = (world.state.flag.rung, world.state.indicators["payments"])
    before_counts = (before[1].good, before[1].bad, before[1].epoch)
    for number in range(500):
        world.ack(f"pi_forged_{number}")
    world.wait(1 * MINUTE)
    payments = world.state.indicators["payments"]
    assert world.state.suspension is SuspensionReason.COVERAGE
    assert (world.state.flag.rung, payments.is_latched) == (2, False)
    assert (payments.good, payments.bad, payments.epoch) == before_counts


def test_the_memory_of_payments_is_bounded_by_number_and_by_age() -> None:
    """At a thousand payments a minute the state would grow without end."""
    state = State(now_ms=0)
    for number in range(unaccounted.CLOSED_MAX + 10):
        unaccounted.remember(state, state.closed, f"pi_{number}")
    assert (len(state.closed), next(iter(state.closed))) == (unaccounted.CLOSED_MAX, "pi_10")
    state.now_ms = unaccounted.REMEMBERED_MS
    unaccounted.remember(state, state.closed, "pi_new")
    assert list(state.closed) == ["pi_new"]


# --- coverage on push_only


# fmt: off
BOUNDS = [
    # on rung, judged of 100 one after the other,                 suspended after each
    (3,        (95, 90, 89, 90, 94, 95, 94, 90, 89),              "..xxx...x"),
    (3,        (89, 81, 79, 95),                                  "xxx."),
    (2,        (95, 90, 89, 85, 80, 79, 80),                      ".....x."),
    (1,        (90, 80, 79, 80),                                  "..x."),
    (0,        (80, 79, 80),                                      ".x."),
]
# fmt: on


@pytest.mark.parametrize(("rung", "shares", "expected"), BOUNDS)
def test_push_only_is_suspended_below_ninety_percent_and_resumes_at_ninety_five(
    rung: int, shares: tuple[int, ...], expected: str
) -> None:
    """What is not seen of `push_only` nobody else clears; and a share about one bound must not switch payers."""
    world = on(2)
    world.decides = False
    world.state.flag.rung = rung
    seen = ""
    for judged in shares:
        world.state.coverage = covered(judged, 100, world.now_ms)
        world.beat()
        seen += "x" if world.state.suspension is SuspensionReason.COVERAGE else "."
    assert seen == expected


def covered(judged: int, total: int, at_ms: int) -> Coverage:
    """Return a coverage of so many judged of all payments."""
    coverage = Coverage()
    for number in range(total):
        coverage.add(is_judged=number < judged, at_ms=at_ms)
    return coverage


def test_another_reason_in_between_does_not_end_a_suspension_for_coverage() -> None:
    """A restart at 92 % took the flag back to `push_only`, three percent too soon."""
    world = on(2)
    world.decides = False
    world.state.flag.rung = 3
    for judged in (89, 92):
        world.state.coverage = covered(judged, 100, world.now_ms)
        world.beat()
    reasons = []
    for step in (world.start, world.beat):
        step()
        reasons.append(world.state.suspension)
    assert reasons == [SuspensionReason.RECOVERING, SuspensionReason.COVERAGE]


@pytest.mark.parametrize(
    ("floor_ppm", "judged", "expected"), [(0, 89, True), (970_000, 96, True), (970_000, 97, False)]
)
def test_a_configured_floor_can_only_raise_that_of_push_only(floor_ppm: int, judged: int, *, expected: bool) -> None:
    """`coverage_floor: 0` is about rungs that have a safety net."""
    world = on(2)
    world.decides = False
    world.change(coverage_floor_ppm=floor_ppm)
    world.state.flag.rung = 3
    world.state.coverage = covered(judged, 100, world.now_ms)
    world.beat()
    assert (world.state.suspension is SuspensionReason.COVERAGE) is expected


def test_under_twenty_payments_nothing_is_suspended_for_coverage_on_push_only_either() -> None:
    """One unmeasured payment of three would be 67 %."""
    world = on(2)
    world.decides = False
    world.state.flag.rung = 3
    for total, expected in ((19, None), (20, SuspensionReason.COVERAGE)):
        world.state.coverage = covered(0, total, world.now_ms)
        world.beat()
        assert world.state.suspension is expected


def test_nothing_climbs_to_push_only_below_its_own_floor() -> None:
    """With `coverage: 85%` the climb would be suspended as soon as it lands."""
    world = on(2)
    world.change(coverage_ppm=850_000)
    world.decides = False
    for rung, judged, expected in ((1, 86, True), (2, 89, False), (2, 90, True)):
        world.state.flag.rung = rung
        world.state.coverage = covered(judged, 100, world.now_ms)
        assert next(gate for gate in gates(world.state) if gate.name == "coverage").passes is expected
