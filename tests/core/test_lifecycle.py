"""`lifecycle: removed`: when the ladder may be taken off, what is served without it, and the way back."""

import msgspec
import pytest

from sidecar.core.decision.decide import decide
from sidecar.core.decision.gates import gates
from sidecar.core.facts.observations import Heartbeat
from sidecar.core.facts.policy import LADDER_OFF, Lifecycle, Mode, Rung, policy_hash
from sidecar.core.fold.conclusions import FlagMoved, PolicyChanged, PolicyRefused
from sidecar.core.fold.lifecycle import why_not
from sidecar.core.fold.serving import Reason, Served, served
from sidecar.core.fold.state import State, encode
from tests.core.probed import ProbedWorld, probed
from tests.core.world import DAY, HOUR, LAX, MINUTE, SECOND, World, on

T, S, P = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET, Mode.PUSH_ONLY
REMOVED = msgspec.structs.replace(LAX, lifecycle=Lifecycle.REMOVED, ladder=LADDER_OFF)
TENTH_LAST = LAX.ladder[:2]
NET_LAST = LAX.ladder[:3]


def at_the_top(rung: int = 3) -> World:
    """Return a world that has been climbing for long, and holds this rung of the usual ladder."""
    world = on(2)
    world.decides = False
    world.state.flag.rung = rung
    world.state.indicators["reach"].last_ms = world.now_ms
    world.decides = True
    return world


def removed() -> World:
    """Return a world whose ladder has been taken off."""
    world = at_the_top()
    world.adopt(REMOVED)
    return world


def held(what: str) -> World:
    """Return a world in which one thing is so when the ladder is to be taken off."""
    match what:
        case "the last rung":
            return at_the_top()
        case "the last rung, suspended":
            world: World = probed(2)
            world.change(ladder=NET_LAST)
            assert isinstance(world, ProbedWorld)
            world.fail()
            world.wait(30 * SECOND)
            assert world.state.flag.suspension is not None
            return world
        case "the last rung, after a restart":
            world = at_the_top()
            world.start()
            return world
        case "the last rung, of a shorter ladder":
            world = on(2)
            world.change(ladder=NET_LAST)
            return world
        case "the last rung, in a dry run":
            world = at_the_top()
            world.decides = False
            world.change(dry_run=True)
            world.state.flag.rung = 3
            return world
        case "the last rung, for a tenth of the users":
            world = on(1)
            world.change(ladder=TENTH_LAST)
            return world
        case "the last rung, until it fell":
            world = at_the_top()
            world.outage()
            return world
        case _:
            return at_the_top(int(what))


# fmt: off
ADOPTIONS = [
    # what is held                                  why it is not accepted
    ("the last rung",                               None),
    ("the last rung, suspended",                    None),
    ("the last rung, after a restart",              None),
    ("the last rung, of a shorter ladder",          None),
    ("2",                                           "that is rung 3 (push_only), and the current one is rung 2 (push_with_safety_net)"),
    ("1",                                           "that is rung 3 (push_only), and the current one is rung 1 (push_with_safety_net)"),
    ("0",                                           "that is rung 3 (push_only), and the current one is rung 0 (timer_polling)"),
    ("the last rung, until it fell",                "that is rung 3 (push_only), and the current one is rung 0 (timer_polling)"),
    ("the last rung, in a dry run",                 "no user was served its rung"),
    ("the last rung, for a tenth of the users",     "does to 10 % of the users"),
]
# fmt: on


@pytest.mark.parametrize(("what", "why"), ADOPTIONS)
def test_the_ladder_is_taken_off_only_while_its_last_rung_is_held(what: str, why: str | None) -> None:
    """Anything else would be a climb that no gate has seen: by a file, to everybody."""
    world = held(what)
    policy = world.state.policy
    assert policy is not None
    wanted = msgspec.structs.replace(policy, lifecycle=Lifecycle.REMOVED, ladder=LADDER_OFF, dry_run=False)
    said = why_not(world.state, wanted)
    before, rung, mode = policy, world.state.flag.rung, world.mode()
    world.decides = False
    world.adopt(wanted)
    if why is None:
        assert said is None
        assert (world.state.policy, world.state.flag.rung) == (wanted, 1)
        assert world.mode() is min(mode, S, key=lambda each: each.rank)
    else:
        assert said is not None
        assert why in said
        assert world.last(PolicyRefused) == PolicyRefused(policy_hash=world.last_hash(), why=said)
        assert (world.state.policy, world.state.flag.rung, world.mode()) == (before, rung, mode)


def test_no_journal_begins_without_a_ladder() -> None:
    """On an empty journal nothing was ever proven: a lost disk would otherwise serve push to everybody."""
    world = World(REMOVED)
    assert (world.state.policy, world.state.policies, world.state.refused_policies) == (None, [], 1)
    assert "this journal was never on it" in (why_not(State(), REMOVED) or "")
    assert served(world.state, 0) == Served(mode=T, reason=Reason.STARTING)
    world.adopt(LAX)
    assert world.state.policy == LAX


def test_a_policy_that_is_refused_changes_nothing_and_may_come_again() -> None:
    """It takes its number with it, or the journal would take the next adoption for the same fact, and keep neither."""
    world = at_the_top(2)
    world.decides = False
    world.state.flag.rung = 2
    before = msgspec.json.decode(encode(world.state))
    world.adopt(REMOVED)
    after = msgspec.json.decode(encode(world.state))
    assert {key for key in after if after[key] != before[key]} == {"seq", "refused_policies", "chain"}
    world.state.flag.rung = 3
    world.adopt(REMOVED)
    assert world.state.policy == REMOVED
    assert isinstance(world.last(PolicyChanged), PolicyChanged)


def test_a_policy_that_keeps_its_ladder_and_says_removed_is_refused() -> None:
    """With both, every rung would be climbed without its gates."""
    world = at_the_top()
    world.adopt(msgspec.structs.replace(LAX, lifecycle=Lifecycle.REMOVED))
    assert world.state.policy == LAX


# fmt: off
ANSWERS = [
    # what happens                  answer  reason                 rung
    ("nothing",                     S,      Reason.CURRENT_RUNG,           1),
    ("an alarm",                    T,      Reason.BOTTOM_RUNG,    0),
    ("a restart",                   T,      Reason.SUSPENDED,        1),
    ("a hiccup of Reverb",          T,      Reason.SUSPENDED,      1),
    ("a rollback",                  T,      Reason.BOTTOM_RUNG,    0),
    ("a hold",                      S,      Reason.CURRENT_RUNG,           1),
    ("a silent source",             T,      Reason.SUSPENDED,        1),
]
# fmt: on


@pytest.mark.parametrize(("what", "mode", "reason", "rung"), ANSWERS)
def test_without_a_ladder_the_best_answer_is_push_with_its_net_and_everything_makes_it_safer(
    what: str, mode: Mode, reason: Reason, rung: int
) -> None:
    """The timers' code is gone, and not the doubt: whatever answered timers before still does."""
    world: World = removed()
    match what:
        case "an alarm":
            world.outage()
            world.good(60)  # calm again, and cooling down
        case "a restart":
            world.start()
        case "a hiccup of Reverb":
            world = held("the last rung, suspended")
            world.adopt(
                msgspec.structs.replace(REMOVED, reverb=world.state.policy.reverb if world.state.policy else None)
            )
        case "a rollback":
            world.roll_back()
        case "a hold":
            world.hold()
        case "a silent source":
            for beat in range(8):
                world.see(Heartbeat(replica="a", beat=beat, silent_sources=("ack_stream",)))
                world.now_ms += 5 * SECOND
        case _:
            assert what == "nothing"
    for bucket in (0, 999_999, None):
        answer = served(world.state, bucket)
        assert (answer.mode, answer.reason) == (mode, reason)
    assert world.state.flag.rung == rung


def test_the_way_down_from_push_only_is_a_move_that_says_why() -> None:
    """A release manager sees in the record that the best answer is another one from here on."""
    world = removed()
    moved = world.last(FlagMoved)
    assert isinstance(moved, FlagMoved)
    assert (moved.from_mode, moved.to_mode, moved.cause, moved.detail) == (P, S, "policy", "lifecycle: removed")
    assert decide(world.state, "a").reason == "top"


def test_after_a_fall_push_returns_when_the_cool_down_is_over_and_nothing_is_latched() -> None:
    """Without a new proof: there is no other code to fall back on for the weeks that it would take."""
    world = removed()
    world.outage()
    world.good(60)
    until_ms = world.state.flag.cooldown_until_ms
    world.wait(until_ms - 1 - world.now_ms)
    assert (world.mode(), decide(world.state, "a").reason) == (T, "cooldown")
    world.wait(1)
    assert (world.mode(), world.state.flag.rung) == (S, 1)
    assert world.state.indicators["payments"].good == 0
    moved = world.last(FlagMoved)
    assert isinstance(moved, FlagMoved)
    assert (moved.cause, moved.detail) == ("returned", "the cool-down is over and nothing is latched")


def test_while_an_alarm_is_latched_push_does_not_return() -> None:
    """An outage that outlasts the cool-down must not be served to anybody."""
    world = removed()
    world.outage()
    world.wait(2 * HOUR)
    assert (world.mode(), decide(world.state, "a").reason) == (T, "alarm")
    assert world.state.indicators["payments"].is_latched
    world.good(60)
    assert world.mode() is S


def test_while_a_person_holds_it_push_does_not_return() -> None:
    """A rollback that the next heartbeat undid would be none."""
    world = removed()
    world.roll_back()
    world.wait(2 * HOUR)
    assert (world.mode(), decide(world.state, "a").reason) == (T, "hold")
    world.resume()
    assert world.mode() is S


def test_after_a_day_of_visibility_gap_push_returns_when_we_see_again() -> None:
    """That fall has no cool-down; what was not seen is no damage."""
    world = removed()
    world.sleep(25 * HOUR)
    world.beat()
    assert (world.mode(), world.state.flag.rung) == (T, 0)
    world.wait(4 * MINUTE)
    assert world.mode() is S


def test_each_fall_doubles_the_cool_down_as_ever() -> None:
    """What keeps falling comes back ever more slowly."""
    world = removed()
    spans = []
    for _ in range(3):
        world.outage()
        spans.append(world.state.flag.cooldown_until_ms - world.state.flag.since_ms)
        world.good(60)
        world.wait(max(spans))
        assert world.mode() is S
    assert spans == [1 * HOUR, 2 * HOUR, 4 * HOUR]


def test_the_gates_of_the_return_are_these() -> None:
    """Evidence, soak and approval belong to the ladder; a gate that were asked here too would keep push away for weeks."""
    world = removed()
    world.outage()
    world.good(60)
    assert [gate.name for gate in gates(world.state)] == ["alarm", "suspension", "hold", "freeze", "cooldown"]


@pytest.mark.parametrize(("key", "value"), [("lease_ms", 20 * SECOND), ("reliability_ppm", 950_000)])
def test_once_off_the_ladder_stays_off_whatever_else_changes(key: str, value: int) -> None:
    """An edit of the lease in the middle of a cool-down must not be refused for it."""
    world = removed()
    world.outage()
    world.change(**{key: value})
    policy = world.state.policy
    assert policy is not None
    assert (policy.lifecycle, getattr(policy, key), world.state.flag.rung) == (Lifecycle.REMOVED, value, 0)


def test_back_on_the_ladder_the_flag_stands_where_it_is_no_better_and_keeps_its_evidence() -> None:
    """Going back is safe at any moment: nobody is served more than a moment before."""
    world = removed()
    good = world.state.indicators["payments"].good
    world.decides = False
    world.adopt(LAX)
    assert (world.state.flag.rung, world.mode(), world.state.indicators["payments"].good) == (2, S, good)
    fallen = removed()
    fallen.outage()
    cooldown_until_ms = fallen.state.flag.cooldown_until_ms
    fallen.adopt(LAX)
    assert (fallen.state.flag.rung, fallen.mode()) == (0, T)
    assert fallen.state.flag.cooldown_until_ms == cooldown_until_ms
    fallen.wait(1 * DAY)
    assert (fallen.state.flag.rung, decide(fallen.state, "a").reason) == (0, "alarm")


def test_a_ladder_without_a_rung_that_is_no_better_begins_at_the_bottom() -> None:
    """Where the file's ladder changed meanwhile, what was served may not be on it."""
    world = removed()
    world.adopt(msgspec.structs.replace(LAX, ladder=(Rung(mode=T), Rung(mode=P))))
    assert (world.state.flag.rung, world.mode()) == (0, T)


def test_a_policy_from_before_there_was_such_a_key_keeps_its_hash() -> None:
    """An upgrade that made every policy a new one would take the word of nobody for it."""
    assert policy_hash(LAX).startswith("96668b4dc1a74f51")
    assert policy_hash(msgspec.structs.replace(LAX, lifecycle=Lifecycle.REMOVED)) != policy_hash(LAX)
