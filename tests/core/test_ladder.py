"""Where the flag stands: one rung up at a time on a current decision, down always, and what a fall costs."""

from collections.abc import Callable

import pytest

from sidecar.core.decision.decide import decide
from sidecar.core.facts.observations import Climbed, FallCause, Fell
from sidecar.core.facts.policy import Mode
from sidecar.core.fold.conclusions import ClimbIgnored, FlagMoved
from sidecar.core.fold.fold import next_deadline
from sidecar.core.statistics.indicators import alpha_of
from tests.core.world import DAY, HOUR, LAX, MINUTE, SECOND, START_MS, World, decided, on


def about_to_climb(rung: int) -> tuple[World, Climbed]:
    """Return a world on a rung, and the climb that is due and not yet journalled."""
    world = on(rung)
    world.decides = False
    world.good(40)
    return world, decided(world, Climbed)


def fell(world: World, cause: FallCause = FallCause.ALARM) -> Fell:
    """Return a fall, decided now."""
    return Fell(replica="a", version=world.state.flag.version, cause=cause, detail="a test")


# --- climbing


def test_good_payments_climb_rung_by_rung_and_each_rung_soaks_anew() -> None:
    """A flag that jumped to the top would give everybody what was tried on nobody."""
    world = on(2)
    moves = [move for move in world.conclusions if isinstance(move, FlagMoved)]
    assert [(move.from_rung, move.to_rung, move.to_mode, move.share_ppm, move.cause) for move in moves] == [
        (0, 1, Mode.PUSH_WITH_SAFETY_NET, 100_000, "proven"),
        (1, 2, Mode.PUSH_WITH_SAFETY_NET, 1_000_000, "proven"),
    ]
    assert world.state.flag.soaked_ms == world.now_ms - world.state.flag.since_ms


Close = Callable[[World], object]

# fmt: off
CLOSERS = [
    ("a hold",                lambda world: world.hold()),
    ("a missed payment",      lambda world: world.bad()),
    ("an unmeasured payment", lambda world: world.pay(waited_s=10)),
    ("a restart",             lambda world: world.start()),
    ("a clock jump",          lambda world: world.jump(2000)),
    ("a silence",             lambda world: world.sleep(30 * SECOND + 1)),
    ("a reset",               lambda world: world.reset()),
    ("a rollback",            lambda world: world.roll_back()),
    ("a wrong filter",        lambda world: (world.ignore("pi_x"), world.ack("pi_x"))),
    ("another approval",      lambda world: world.approve(rung=1, epoch=7)),
    ("a policy",              lambda world: world.change(coverage_ppm=990_000)),
    ("an hour of coverage",   lambda world: world.state.coverage.hours.insert(0, (0, 9, 0))),
    ("a fall",                lambda world: world.see(fell(world))),
    ("a blind fall",          lambda world: world.see(fell(world, FallCause.BLIND))),
    ("the climb itself",      lambda world: world.see(decided(world, Climbed))),
]
# fmt: on


@pytest.mark.parametrize("rung", [0, 1])
@pytest.mark.parametrize(("name", "close"), CLOSERS)
def test_a_climb_that_was_decided_before_something_closed_a_gate_is_ignored(name: str, close: Close, rung: int) -> None:
    """A replica that was slow to append would climb past a hold, a miss or a fall that it had not seen."""
    world, climb = about_to_climb(rung)
    close(world)
    before = world.state.flag.rung
    world.append(climb)
    assert world.state.flag.rung == before, name
    assert isinstance(world.last(ClimbIgnored), ClimbIgnored)


def test_what_cannot_close_a_gate_does_not_delay_a_climb() -> None:
    """A guard version that moved with every good payment would never let a busy system climb."""
    world, climb = about_to_climb(1)
    world.good(5)
    world.see(climb)
    assert world.state.flag.rung == 2


def test_two_replicas_that_decide_at_once_climb_once() -> None:
    """Two climbs by one proof would skip a rung's soak."""
    world, climb = about_to_climb(0)
    other = decided(world, Climbed, replica="b")
    world.see(climb)
    world.see(other)
    world.append(other)
    assert world.state.flag.rung == 1
    assert world.state.tally.stale_climbs == 1


@pytest.mark.parametrize("to_rung", [-1, 0, 1, 3, 4, 99])
def test_a_climb_onto_anything_but_the_next_rung_is_ignored(to_rung: int) -> None:
    """A damaged or foreign record must not move the flag by more than a step, or off the ladder."""
    world = on(1)
    flag = world.state.flag
    world.decides = False
    climb = Climbed(replica="b", to_rung=to_rung, version=flag.version, guard_version=flag.guard_version, gates=())
    world.see(climb)
    assert world.state.flag.rung == 1


# --- falling


@pytest.mark.parametrize("rung", [1, 2])
def test_a_fall_lands_whatever_it_was_based_on(rung: int) -> None:
    """A fall that checked versions could be outrun, and the outage would go on being served."""
    world = on(rung)
    world.see(Fell(replica="b", version=-1, cause=FallCause.ALARM, detail="late"))
    assert world.state.flag.rung == 0


def test_an_outage_falls_at_the_promised_payment_and_the_cool_down_holds_it() -> None:
    """The whole way down and up again: alarm, cool-down, calm, a new epoch with less alpha, another climb."""
    world = on(1)
    world.outage()
    fallen_ms, payments = world.now_ms, world.state.indicators["payments"]
    assert (payments.awaits_epoch, payments.bad_total, world.state.flag.rung) == (True, 6, 0)
    world.good(200)
    assert not payments.is_latched
    assert (payments.awaits_epoch, world.state.flag.rung) == (True, 0)
    world.wait(1 * HOUR - (world.now_ms - fallen_ms) - 10 * SECOND)
    assert payments.awaits_epoch
    world.wait(20 * SECOND)
    assert (payments.awaits_epoch, payments.epoch, payments.good, payments.bad) == (False, 2, 0, 0)
    assert alpha_of(payments, LAX) == pytest.approx(0.05 * 0.05)
    world.climb_to(1)
    assert payments.good >= 59


def test_the_epoch_after_a_fall_waits_for_the_alarm_to_calm() -> None:
    """Evidence collected while the outage goes on would be one more epoch spent for nothing."""
    world = on(1)
    world.outage()
    payments = world.state.indicators["payments"]
    world.wait(2 * HOUR)
    assert (payments.is_latched, payments.awaits_epoch, payments.epoch) == (True, True, 1)
    world.good(60)
    assert (payments.is_latched, payments.awaits_epoch, payments.epoch) == (False, False, 2)


def test_on_the_bottom_rung_an_alarm_is_no_fall() -> None:
    """An outage before the first climb would cost a cool-down and half of alpha for nothing that was held."""
    world = World(LAX)
    world.wire()
    world.good(5)
    world.bad(12)
    payments, flag = world.state.indicators["payments"], world.state.flag
    assert payments.is_latched
    assert (payments.epoch, payments.awaits_epoch, flag.cooldown_until_ms, flag.strikes) == (1, False, 0, 0)


# fmt: off
COOL_DOWNS = [
    # falls before, clean weeks since, the first cool-down, the next one
    (0,  0, 1 * HOUR, 1 * HOUR),
    (1,  0, 1 * HOUR, 2 * HOUR),
    (2,  0, 1 * HOUR, 4 * HOUR),
    (7,  0, 1 * HOUR, 128 * HOUR),
    (8,  0, 1 * HOUR, 7 * DAY),
    (60, 0, 1 * HOUR, 7 * DAY),
    (2,  1, 1 * HOUR, 2 * HOUR),
    (2,  2, 1 * HOUR, 1 * HOUR),
    (2,  9, 1 * HOUR, 1 * HOUR),
    (8,  1, 1 * HOUR, 128 * HOUR),     # a clean week halves what was served, however many falls had been capped
    (60, 1, 1 * HOUR, 128 * HOUR),
    (5,  0, 7 * DAY,  7 * DAY),
    (60, 0, 0,        0),
    (60, 0, 1,        7 * DAY),
]
# fmt: on


@pytest.mark.parametrize(("falls", "weeks", "first_ms", "expected_ms"), COOL_DOWNS)
def test_the_cool_down_doubles_with_each_fall_up_to_a_week_and_halves_with_each_clean_week(
    falls: int, weeks: int, first_ms: int, expected_ms: int
) -> None:
    """A flapping system must be left alone longer each time, for ever is too long, and a shift is not to overflow."""
    world = World(LAX, decides=False)
    world.change(cooldown_ms=first_ms)
    for _ in range(falls):
        world.state.flag.rung = 1
        world.see(fell(world))
    world.sleep(weeks * 7 * DAY)
    world.beat()
    world.state.flag.rung = 1
    world.see(fell(world))
    assert world.state.flag.cooldown_until_ms - world.now_ms == expected_ms


def test_a_week_that_is_a_millisecond_short_forgives_nothing() -> None:
    """The boundary of forgiveness, on both sides."""
    world = World(LAX, decides=False)
    world.state.flag.rung = 1
    world.see(fell(world))
    world.sleep(7 * DAY - 1)
    world.beat()
    assert world.state.flag.strikes == 1
    world.sleep(1)
    world.beat()
    assert world.state.flag.strikes == 0


def test_only_falls_by_alarm_cool_down() -> None:
    """A night without power says nothing against push: back to the bottom and a new epoch, but no penalty."""
    world = on(2)
    world.see(fell(world, FallCause.BLIND))
    flag, payments = world.state.flag, world.state.indicators["payments"]
    assert (flag.rung, flag.cooldown_until_ms, flag.strikes) == (0, 0, 0)
    world.beat()
    assert (payments.epoch, payments.good) == (2, 0)


def test_the_second_long_visibility_gap_on_the_bottom_rung_is_a_fall_of_its_own() -> None:
    """Its record had the identity of the first one's, so that it was never folded, and nothing ever climbed again."""
    world = World(LAX)
    for _ in range(3):
        world.sleep(25 * HOUR)
        world.beat()
        assert not world.state.visibility.is_fall_due
    world.wait(4 * MINUTE)
    world.climb_to(1)


def test_a_fall_for_another_reason_does_not_forgive_a_long_visibility_gap() -> None:
    """An alarm's record that arrived late on the bottom rung took the visibility gap's new epoch with it."""
    world = World(LAX, decides=False)
    world.sleep(25 * HOUR)
    world.beat()
    world.see(fell(world, FallCause.ALARM))
    assert world.state.visibility.is_fall_due


def test_an_alarm_that_nobody_acted_on_waits_for_its_fall() -> None:
    """Calmed before a controller looked, an outage was over without a fall: no cool-down, no new epoch."""
    world = on(1)
    world.decides = False
    world.bad(6)
    world.good(200)
    assert world.state.indicators["payments"].is_latched
    assert isinstance(decide(world.state, "a").decision, Fell)


# --- time


def test_a_rung_that_may_not_soak_asks_for_no_heartbeat() -> None:
    """A soak stopped one millisecond short by an alarm asked for a heartbeat every millisecond, until it calmed."""
    world = on(1)
    world.decides = False
    world.bad(6)
    world.wait(60 * SECOND)
    world.state.flag.soaked_ms = LAX.ladder[1].soak_ms - 1
    assert next_deadline(world.state) is None
    assert world.now_ms > START_MS
