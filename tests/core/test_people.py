"""What people and rules may do to the flag: hold, approve, roll back, reset, renew, and try it dry."""

import msgspec
import pytest

from sidecar.core.decision.decide import decide
from sidecar.core.facts.observations import EpochRenewed, FallCause, Fell
from sidecar.core.facts.policy import Mode, Rung
from sidecar.core.fold.conclusions import EpochBegan
from sidecar.core.fold.serving import Reason, served
from tests.core.world import DAY, HOUR, LAX, MINUTE, SECOND, World, counted, decided, on

# --- hold and rollback


def test_a_hold_stops_climbing_until_it_is_resumed_and_never_falling() -> None:
    """A hold that also stopped falls would turn a careful person into the cause of an outage."""
    world = on(1)
    world.hold()
    world.good(60)
    assert world.state.flag.rung == 1
    world.resume()
    assert world.state.flag.rung == 2
    world.hold()
    world.outage()
    assert world.state.flag.rung == 0


def test_a_rollback_holds_on_the_bottom_rung_and_keeps_the_evidence() -> None:
    """A person's rollback that the next heartbeat climbed out of would be no rollback."""
    world = on(2)
    payments = world.state.indicators["payments"]
    epoch, good = payments.epoch, payments.good
    world.roll_back()
    world.good(60)
    assert (world.state.flag.rung, world.state.flag.cooldown_until_ms) == (0, 0)
    assert (payments.epoch, payments.good) == (epoch, good + 60)
    world.resume()
    assert world.state.flag.rung == 1


def test_a_rollback_on_the_bottom_rung_holds_too() -> None:
    """Pressed a second before the climb, it must not have been pressed for nothing."""
    world = on(0)
    world.roll_back()
    world.good(60)
    assert world.state.flag.rung == 0


# --- approval


def asking() -> World:
    """Return a world on the first rung, about to climb, whose next rung must be approved."""
    world = World(LAX)
    world.change(ladder=(*LAX.ladder[:2], _approved(500_000), LAX.ladder[3]))
    world.wire()
    world.good(80)
    assert (world.state.flag.rung, decide(world.state, "a").reason) == (1, "approval")
    return world


def _approved(share_ppm: int) -> Rung:
    return Rung(mode=Mode.PUSH_WITH_SAFETY_NET, share_ppm=share_ppm, approval_required=True)


# fmt: off
APPROVALS = [
    # what happens, in order,                                       the rung that is held afterwards
    (("approve 2 1",),                                              2),
    (("approve 1 1",),                                              1),
    (("approve 3 1",),                                              1),
    (("approve 2 2",),                                              1),
    (("approve 2 0",),                                              1),
    (("approve 2 2", "reset", "prove"),                             2),   # approved for the epoch that the reset began
    (("hold", "approve 2 1", "resume"),                             2),
    (("hold", "approve 2 1", "approve 2 2", "resume"),              1),   # the last word counts
    (("hold", "approve 2 1", "reset", "resume", "prove"),           1),   # given for proof that is no longer any
    (("hold", "approve 2 1", "fall", "resume", "recover"),          1),
    (("hold", "approve 2 1", "blind fall", "resume", "recover"),    1),
    (("hold", "approve 2 1", "roll back", "resume", "prove"),       1),
    (("hold", "approve 2 1", "other ladder", "resume", "prove"),    1),   # the same number may be another rung by now
    (("hold", "approve 2 1", "dry run", "no dry run", "resume", "prove"), 1),   # what is rehearsed is not consented to
    (("hold", "approve 2 1", "other cool-down", "resume"),          2),
    (("hold", "approve 2 1", "7 d less 1 ms", "resume"),            2),
    (("hold", "approve 2 1", "7 d", "resume"),                      1),
]
# fmt: on


@pytest.mark.parametrize(("steps", "rung"), APPROVALS)
def test_an_approval_is_for_one_rung_in_one_epoch_and_dies_with_a_fall_or_after_a_week(
    steps: tuple[str, ...], rung: int
) -> None:
    """Each row is a way to use a person's consent for something that the person did not consent to."""
    world = asking()
    for step in steps:
        _action(world, step)
    assert world.state.flag.rung == rung


def _action(world: World, step: str) -> None:  # noqa: C901, PLR0912 - one case for each action
    match step.split():
        case ["approve", rung, epoch]:
            world.approve(int(rung), int(epoch))
        case ["hold"]:
            world.hold()
        case ["resume"]:
            world.resume()
        case ["reset"]:
            world.reset()
        case ["roll", "back"]:
            world.roll_back()
        case ["prove"]:
            world.good(120)
        case ["recover"]:
            world.wait(1 * HOUR)
            world.good(300)
        case ["fall"]:
            world.see(Fell(replica="b", version=0, cause=FallCause.ALARM, detail="a test"))
        case ["blind", "fall"]:
            world.see(Fell(replica="b", version=0, cause=FallCause.BLIND, detail="a test"))
        case ["other", "ladder"]:
            world.change(ladder=(*LAX.ladder[:2], _approved(1_000_000)))
        case [*no, "dry", "run"]:
            world.change(dry_run=not no)
        case ["other", "cool-down"]:
            world.change(cooldown_ms=2 * HOUR)
        case _:
            assert world.state.flag.approval is not None
            world.now_ms = world.state.flag.approval.at_ms + 7 * DAY - (1 if "less" in step else 0)
            world.state.now_ms = world.now_ms - 1  # a live sidecar, without a week of heartbeats
            world.beat()


def test_an_approval_given_early_is_not_spent_on_another_climb() -> None:
    """Approved on Friday for `push_only`, the climb to 100 % on Saturday used it up."""
    world = on(1)
    world.approve(rung=3)
    world.good(30)
    assert world.state.flag.rung == 2
    assert world.state.flag.approval is not None


def test_an_approval_is_used_once() -> None:
    """A consent that outlived its climb would also approve the climb after the next rollback."""
    world = asking()
    world.approve(rung=2)
    assert (world.state.flag.rung, world.state.flag.approval) == (2, None)


# --- reset and renewal


def test_a_reset_begins_a_new_epoch_with_less_to_spend() -> None:
    """A reset that gave alpha back would let a person climb by resetting until luck comes."""
    world = on(1)
    payments = world.state.indicators["payments"]
    world.reset()
    world.reset()
    assert (payments.epoch, payments.good, payments.bad, payments.unmeasured) == (3, 0, 0, 0)
    assert (world.state.flag.rung, world.state.indicators["reach"].epoch) == (1, 1)
    world.good(20)
    assert world.state.flag.rung == 1


def test_a_reset_during_the_cool_down_begins_the_one_epoch_that_was_coming_anyway() -> None:
    """Begun at once it would count the end of the outage as evidence, and spend two epochs on one fall."""
    world = on(1)
    world.outage()
    world.reset()
    payments = world.state.indicators["payments"]
    assert (payments.awaits_epoch, payments.epoch) == (True, 1)
    world.good(60)
    world.wait(2 * HOUR)
    assert (payments.awaits_epoch, payments.epoch) == (False, 2)


def old_epoch(rung: int = 0) -> World:
    """Return a world whose payments' epoch is a week old and has nine failures."""
    world = on(rung)
    world.good(3)
    world.decides = False
    payments = world.state.indicators["payments"]
    payments.epoch_began_ms = world.now_ms - 7 * DAY
    counted(payments, 20, 9)
    return world


# fmt: off
RENEWALS = [
    # what differs,                                                 whether a new epoch is worth it
    ("nothing",            lambda _: None,                                                  True),
    ("6 d and 23 h old",   lambda world: _age(world, 7 * DAY - 1 * HOUR),                   False),
    ("no failure",         lambda world: _counts(world, 20, 0),                             False),
    ("nearly proven",      lambda world: _counts(world, 200, 9),                            False),
    ("proven",             lambda world: _counts(world, 5000, 9),                           False),
    ("an alarm",           lambda world: world.bad(6),                                      False),
]
# fmt: on


@pytest.mark.parametrize(("name", "differ", "expected"), RENEWALS)
def test_on_the_bottom_rung_an_epoch_renews_itself_only_where_that_proves_sooner(
    name: str, differ: object, *, expected: bool
) -> None:
    """An epoch that renewed whenever it went badly would spend alpha on every streak of bad luck."""
    world = old_epoch()
    assert callable(differ)
    differ(world)
    assert isinstance(decide(world.state, "a").decision, EpochRenewed) is expected, name


def _age(world: World, age_ms: int) -> None:
    world.state.indicators["payments"].epoch_began_ms = world.now_ms - age_ms


def _counts(world: World, good: int, bad: int) -> None:
    counted(world.state.indicators["payments"], good, bad)


def test_a_renewed_epoch_begins_from_zero_and_once() -> None:
    """Two replicas that renew at once must not spend two epochs."""
    world = old_epoch()
    renewed = decided(world, EpochRenewed)
    world.append(renewed)
    world.append(renewed)
    payments = world.state.indicators["payments"]
    assert (payments.epoch, payments.good, payments.bad) == (2, 0, 0)
    assert len([one for one in world.conclusions if isinstance(one, EpochBegan)]) == 1


def test_a_stale_renewal_is_ignored() -> None:
    """A renewal decided before a miss would throw the miss away."""
    world = old_epoch()
    renewed = decided(world, EpochRenewed)
    world.bad()
    world.append(renewed)
    assert world.state.indicators["payments"].epoch == 1


def test_no_epoch_renews_itself_above_the_bottom_rung() -> None:
    """Up there the old failures are what the rung stands on."""
    assert decide(old_epoch(rung=1).state, "a").decision is None


# --- dry run


def test_a_dry_run_decides_everything_and_answers_timers() -> None:
    """A rehearsal that served push would be the performance."""
    world = World(LAX)
    world.change(dry_run=True)
    world.climb_to(2)
    answer = served(world.state, 0)
    assert (answer.mode, answer.reason) == (Mode.TIMER_POLLING, Reason.DRY_RUN)
    world.outage()
    assert world.state.flag.rung == 0


def test_soak_goes_on_under_a_hold() -> None:
    """A hold says "not yet", not "begin again"."""
    world = on(1)
    world.hold()
    began_ms = world.state.flag.soaked_ms
    world.wait(5 * MINUTE)
    assert world.state.flag.soaked_ms - began_ms == 5 * MINUTE


def test_the_end_of_a_dry_run_begins_on_the_bottom_rung_with_the_evidence_of_the_rehearsal() -> None:
    """No user was served what was held in rehearsal, so no rung below it was ever tried."""
    world = World(msgspec.structs.replace(LAX, dry_run=True))
    world.climb_to(2)
    good = world.state.indicators["payments"].good
    world.change(dry_run=False)
    assert (world.state.flag.rung, world.mode()) == (0, Mode.TIMER_POLLING)
    assert world.state.indicators["payments"].good == good
    world.wait(90 * SECOND)
    assert world.state.flag.rung == 1, "proven already; only the soak was missing"
