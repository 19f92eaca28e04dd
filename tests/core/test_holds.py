"""What people did is kept: no operator action overwrites another one, and none takes an alarm's fall away."""

import copy
from typing import Any

import msgspec
import pytest

from sidecar.core.decision.decide import decide
from sidecar.core.decision.gates import first_closed
from sidecar.core.facts.auth_probes import RoundTripOutcome
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import Checkpoint, FallCause, Fell
from sidecar.core.facts.operator_actions import Frozen, Resumed, Thawed
from sidecar.core.facts.policy import Rung
from sidecar.core.facts.windows import Once, Replaced
from sidecar.core.fold import holds
from sidecar.core.fold.checkpoints import checkpoint_of, restored
from sidecar.core.fold.freezes import in_force
from sidecar.core.fold.history import EventKind
from sidecar.core.fold.standing import Freeze, Hold
from sidecar.core.fold.state import encode
from tests.core.probed import ProbedWorld, probed
from tests.core.test_people import asking
from tests.core.world import DAY, HOUR, LAX, MINUTE, SECOND, World, on

# --- holds stand side by side


def test_a_second_hold_keeps_the_first_and_each_is_lifted_by_its_id() -> None:
    """The second person's hold took the first one's place, and its end was the end of both."""
    world = on(1)
    first = world.hold("ann", "launch day")
    second = world.hold("bob", "I am looking at something")
    standing = [(each.id, each.actor, each.reason, each.is_rollback) for each in world.state.flag.holds]
    assert standing == [
        (first, "ann", "launch day", False),
        (second, "bob", "I am looking at something", False),
    ]
    world.resume(second)
    world.good(60)
    assert ([each.actor for each in world.state.flag.holds], world.state.flag.rung) == (["ann"], 1)
    world.resume(first)
    assert world.state.flag.rung == 2


def test_the_gate_names_every_hold_and_the_command_that_lifts_each() -> None:
    """A gate that showed one of two would send a person to lift the wrong one."""
    world = on(1)
    first = world.hold("ann", "launch day")
    world.roll_back("bob", "payers wait")
    second = world.state.flag.holds[-1].id
    gate = first_closed(world.state)
    assert gate is not None
    assert gate.value == "on hold by ann: launch day; bob (rollback): payers wait"
    assert (
        gate.needs
        == f"`sidecar resume --hold {first} --reason '...'` and `sidecar resume --hold {second} --reason '...'`"
    )


def test_a_rollback_does_not_lift_or_replace_a_hold_or_another_rollback() -> None:
    """Whoever lifts the second rollback does not know of the first."""
    world = on(2)
    world.hold("ann", "launch day")
    world.roll_back("bob", "payers wait")
    world.roll_back("eve", "the same")
    who = [(each.actor, each.is_rollback) for each in world.state.flag.holds]
    assert who == [("ann", False), ("bob", True), ("eve", True)]
    world.resume(world.state.flag.holds[2].id)
    assert [each.actor for each in world.state.flag.holds] == ["ann", "bob"]


def test_a_resume_of_a_hold_that_is_gone_lifts_no_other() -> None:
    """Another replica lifted it a moment before."""
    world = on(1)
    first = world.hold()
    world.resume(first)
    world.hold("bob")
    world.resume(first)
    world.resume(first + 1)
    assert [each.actor for each in world.state.flag.holds] == ["bob"]


def test_a_resume_of_an_older_version_lifts_what_it_lifted_then() -> None:
    """There was one hold, and after it nothing forbade climbing: a fold from the beginning must climb where it did."""
    world = on(1)
    world.hold()
    world.hold("bob")
    world.see(Resumed(actor="bob", reason="done"))
    world.good(60)
    assert (world.state.flag.holds, world.state.flag.rung) == ([], 2)


def test_holds_are_bounded_and_a_rollback_always_has_one() -> None:
    """A script in a loop must not fill the state, nor keep a person from going back to timers and staying there."""
    world = on(2)
    for number in range(holds.HOLDS_MAX + 5):
        world.hold(f"script {number}")
    assert len(world.state.flag.holds) == holds.HOLDS_MAX
    for _ in range(5):
        world.roll_back()
    rolled = [each.is_rollback for each in world.state.flag.holds]
    assert (world.state.flag.rung, rolled) == (0, [False] * holds.HOLDS_MAX + [True])


def test_no_policy_and_no_end_of_a_dry_run_drops_a_hold_or_a_freeze() -> None:
    """A restart with another file is no person's word on a hold."""
    world = World(msgspec.structs.replace(LAX, dry_run=True))
    world.climb_to(1)
    world.hold("ann")
    world.hold("bob")
    world.freeze("term", Once(from_ms=world.now_ms, until_ms=world.now_ms + DAY))
    world.change(dry_run=False)
    world.change(ladder=(*LAX.ladder[:2],))
    world.change(reliability_ppm=950_000)
    world.start()
    world.wait(2 * HOUR)
    assert [each.actor for each in world.state.flag.holds] == ["ann", "bob"]
    assert [each.name for each in world.state.flag.freezes] == ["term"]


# --- freezes and approvals


def frozen(world: World, actor: str, *, replaced: Freeze | None = None, is_exclusive: bool = True) -> int:
    """Append a freeze with the name `term`, and return its id."""
    window = Once(from_ms=world.now_ms, until_ms=world.now_ms + DAY)
    seq = world.state.seq + 1
    world.see(
        Frozen(
            actor=actor,
            reason=f"{actor}'s reason",
            name="term",
            window=window,
            expires_ms=window.until_ms,
            replaced=Replaced(id=replaced.id, actor=replaced.actor, reason=replaced.reason) if replaced else None,
            is_exclusive=is_exclusive,
        )
    )
    return seq


def test_a_freeze_replaces_only_the_one_that_it_names() -> None:
    """Two people on two replicas took the same name, or replaced the same freeze, at the same moment."""
    world = on(1)
    frozen(world, "ann")
    frozen(world, "bob")
    (ann,) = world.state.flag.freezes
    assert ann.actor == "ann"
    frozen(world, "bob", replaced=ann)
    frozen(world, "eve", replaced=ann)
    (bob,) = world.state.flag.freezes
    assert bob.actor == "bob"
    shown = [event.detail for event in world.state.history.events if event.kind is EventKind.ACTION]
    assert "freeze term by bob, in place of that of ann: bob's reason" in shown


def test_a_freeze_of_an_older_version_replaced_any_of_its_name() -> None:
    """Their records mean what they meant."""
    world = on(1)
    frozen(world, "ann")
    frozen(world, "bob", is_exclusive=False)
    assert [each.actor for each in world.state.flag.freezes] == ["bob"]


def test_a_thaw_removes_the_freeze_that_was_meant_and_not_its_successor() -> None:
    """Ann's freeze was replaced by Bob's while a colleague thawed it."""
    world = on(1)
    first = frozen(world, "ann")
    second = frozen(world, "bob", replaced=world.state.flag.freezes[0])
    world.see(Thawed(actor="eve", reason="over", name="term", freeze=first))
    assert [each.id for each in in_force(world.state)] == [second]
    world.see(Thawed(actor="eve", reason="over", name="term", freeze=second))
    assert world.state.flag.freezes == []
    frozen(world, "ann")
    world.see(Thawed(actor="eve", reason="over", name="term"))
    assert world.state.flag.freezes == []


def test_a_second_approval_of_the_same_climb_keeps_the_first_ones_name() -> None:
    """The record of who consented would otherwise name the last who clicked."""
    world = asking()
    world.hold()
    world.approve(2)
    approved_ms = world.now_ms
    world.wait(1 * HOUR)
    world.approve(2)
    approval = world.state.flag.approval
    assert approval is not None
    assert approval.at_ms == approved_ms


# --- an action during an alarm


def alarmed(world: World) -> World:
    """Return the world on a push rung with an alarm of payments whose fall was not decided yet."""
    world.decides = False
    for _ in range(20):
        if world.state.indicators["payments"].is_latched:
            return world
        world.bad()
    raise AssertionError("no alarm after 20 misses")


def unstable() -> World:
    """Return a world whose push is suspended, because Reverb is unstable."""
    world = probed(2)
    world.round_trip = RoundTripOutcome.LOST
    world.wait(1 * MINUTE)
    assert world.state.flag.suspension is not None
    world.decides = False
    return world


def waiting() -> World:
    """Return a world with an alarm of payments that is not attributed yet, because Reverb is probed."""
    world = alarmed(probed(2))
    assert (world.state.flag.rung, decide(world.state, "a").reason) == (2, "attribution")
    return world


# fmt: off
ALARMS = [
    # the alarm,                        a world in it
    ("latched, its fall is due",        lambda: alarmed(on(2))),
    ("being attributed",                waiting),
    ("of Reverb, push is suspended",    unstable),
]
# fmt: on


@pytest.mark.parametrize(("name", "make"), ALARMS)
def test_a_rollback_during_an_alarm_has_the_effects_of_the_fall(name: str, make: Any) -> None:
    """It kept the evidence that the alarm refutes, and the next climb needed no new proof."""
    world = make()
    twin = copy.deepcopy(world)
    twin.append(Fell(replica="a", version=0, cause=FallCause.ALARM, detail="an alarm"))
    world.roll_back()
    flag = world.state.flag
    assert _effects(world) == _effects(twin), name
    assert (flag.rung, flag.strikes, flag.cooldown_until_ms) == (0, 1, world.now_ms + 1 * HOUR), name
    assert world.state.moves[-1].detail == "ann: a feeling (during an alarm: new epochs and a cool-down)"
    assert [each.is_rollback for each in flag.holds] == [True]
    world.decides = True
    if isinstance(world, ProbedWorld):
        world.round_trip = RoundTripOutcome.OK
    world.good(60)
    world.wait(2 * HOUR)
    assert world.state.indicators["payments"].epoch == 2
    world.resume(flag.holds[0].id)
    assert world.state.flag.rung == 0, "the old proof is void"


def _effects(world: World) -> tuple[object, ...]:
    """Return what a fall changes, but for its move's cause and detail."""
    flag = world.state.flag
    epochs = [(each.epoch, each.awaits_epoch, each.is_latched) for each in world.state.indicators.values()]
    counts = (flag.rung, flag.strikes, flag.strikes_since_ms, flag.cooldown_until_ms, flag.soaked_ms)
    return (*counts, flag.suspension, flag.suspensions_ms, flag.approval, epochs)


def test_a_fall_and_a_rollback_at_the_same_moment_are_one_fall() -> None:
    """Two replicas append them in either order: one cool-down, one epoch, and the hold."""
    for is_fall_first in (True, False):
        world = alarmed(on(2))
        fell = decide(world.state, "a").decision
        assert fell is not None
        if is_fall_first:
            world.append(fell)
        world.roll_back()
        if not is_fall_first:
            world.append(fell)
        flag = world.state.flag
        assert (flag.rung, flag.strikes, flag.cooldown_until_ms) == (0, 1, world.now_ms + 1 * HOUR)
        assert len(flag.holds) == 1


def test_a_rollback_on_the_bottom_rung_during_an_alarm_starts_no_cool_down() -> None:
    """There an alarm is no fall."""
    world = on(0)
    world.bad(6)
    assert world.state.indicators["payments"].is_latched
    world.roll_back()
    assert world.state.flag.cooldown_until_ms == 0
    assert not world.state.indicators["payments"].awaits_epoch


_TIMERS: tuple[Rung, ...] = LAX.ladder[:1]


@pytest.mark.parametrize("keys", [{"ladder": _TIMERS}, {"dry_run": False}])
def test_a_policy_that_leads_to_the_bottom_during_an_alarm_has_the_effects_of_the_fall(keys: dict[str, Any]) -> None:
    """A new file was a way past an alarm too."""
    world = World(msgspec.structs.replace(LAX, dry_run="dry_run" in keys))
    world.climb_to(2)
    alarmed(world)
    world.change(**keys)
    payments = world.state.indicators["payments"]
    assert (world.state.flag.rung, payments.awaits_epoch) == (0, True)
    assert world.state.flag.cooldown_until_ms == world.now_ms + 1 * HOUR


def test_a_reset_during_an_alarm_keeps_the_alarm_and_spends_one_epoch_with_its_fall() -> None:
    """Begun at once, the reset's epoch would end with the fall, a second later."""
    world = alarmed(on(2))
    world.reset()
    payments = world.state.indicators["payments"]
    assert (payments.is_latched, payments.awaits_epoch, payments.epoch) == (True, True, 1)
    world.decides = True
    world.wait(5 * SECOND)
    assert (world.state.flag.rung, world.state.flag.strikes) == (0, 1)
    world.good(60)
    world.wait(2 * HOUR)
    assert (payments.epoch, payments.awaits_epoch) == (2, False)


# --- checkpoints of fold version 6


def older(world: World, **flag: object) -> Checkpoint:
    """Return the checkpoint of a world as fold version 6 wrote it: one hold, and no ids."""
    content: dict[str, Any] = msgspec.json.decode(encode(world.state))
    held = content["flag"].pop("holds")
    content["flag"]["hold"] = held[-1] if held else None
    content["flag"] |= flag
    for each in [*held, *content["flag"]["freezes"]]:
        del each["id"]
        each.pop("is_rollback", None)
    checkpoint = checkpoint_of(world.state, "a")
    return msgspec.structs.replace(checkpoint, fold_version=6, state=msgspec.Raw(msgspec.json.encode(content)))


@pytest.mark.parametrize("is_rollback", [False, True])
def test_the_hold_and_the_freezes_of_an_old_checkpoint_have_the_ids_of_their_records(*, is_rollback: bool) -> None:
    """A fold from a checkpoint and a fold from the beginning must lift the same hold."""
    world = on(1)
    world.freeze("term", Once(from_ms=world.now_ms, until_ms=world.now_ms + DAY))
    if is_rollback:
        world.roll_back()
    else:
        world.hold(reason="x" * 300)
    flag = restored(older(world)).flag
    assert (flag.holds, flag.freezes) == (world.state.flag.holds, world.state.flag.freezes)
    assert flag.holds[0].is_rollback is is_rollback


def test_an_old_hold_whose_record_is_forgotten_has_its_stamp_as_id_and_must_be_named() -> None:
    """It may have been a rollback's."""
    world = on(1)
    world.hold()
    world.state.history.events.clear()
    (hold,) = restored(older(world)).flag.holds
    assert (hold.id, hold.is_rollback, hold.actor) == (world.now_ms, True, "ann")
    state = restored(older(world))
    assert holds.unnamed(state) is None


def test_an_old_checkpoint_without_a_hold_has_none() -> None:
    """Nobody is held by a missing field."""
    flag = restored(older(on(1))).flag
    assert (flag.holds, flag.freezes) == ([], [])


def test_only_a_single_hold_of_a_person_needs_no_name() -> None:
    """A rollback is lifted by whoever names it, and of several holds one is meant."""
    person = Hold(id=7, actor="ann", reason="a fair", at_ms=1, is_rollback=False)
    rollback = msgspec.structs.replace(person, id=8, is_rollback=True)
    for standing, expected in (([person], person), ([rollback], None), ([person, rollback], None), ([], None)):
        world = on(0)
        world.state.flag.holds = standing
        assert holds.unnamed(world.state) is expected


def test_a_hold_and_a_freeze_are_lifted_once() -> None:
    """Two replicas that lift the same one append one record, and the second operator learns of the first."""
    ann, bob = (Resumed(actor=actor, reason=f"{actor}'s", hold=12) for actor in ("ann", "bob"))
    assert identity(ann) == identity(bob) != identity(msgspec.structs.replace(ann, hold=13))
    thawed, again = (Thawed(actor=actor, reason=f"{actor}'s", name="term", freeze=12) for actor in ("ann", "bob"))
    assert identity(thawed) == identity(again) != identity(ann)
    older_ones = (Resumed(actor="ann", reason="x"), Thawed(actor="ann", reason="x", name="term"))
    assert [identity(each) for each in older_ones] == [None, None]
