"""What is worth a notification, and what is not: lives of literal times, and what is told of them."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from sidecar.cli import cli
from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.observations import Noted
from sidecar.core.facts.policy import LADDER_OFF, Lifecycle
from sidecar.core.facts.windows import Once
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State
from sidecar.notifications import NotificationKind, Selector, Tone
from tests.core.golden import KEPT, golden
from tests.core.probed import ProbedWorld, probed
from tests.core.world import HOUR, LAX, MINUTE, SECOND, World, on
from tests.notifications.sample import told
from tests.rules.runbooks import RUNBOOKS

K = NotificationKind
REMOVED = msgspec.structs.replace(LAX, lifecycle=Lifecycle.REMOVED, ladder=LADDER_OFF)


def climbing() -> World:
    """Climb two rungs."""
    return on(2)


def outage() -> World:
    """Fall by an alarm of payments, and calm."""
    world = on(2)
    world.outage()
    world.good(60)
    return world


def hiccup() -> World:
    """Let Reverb be away for twenty seconds, and wait for the shelter's end."""
    world = probed(2)
    world.fail()
    world.wait(20 * SECOND)
    world.recover()
    world.wait(11 * MINUTE)
    return world


def long_shelter() -> World:
    """Let Reverb be away for longer than a shelter lasts."""
    world = probed(2)
    world.fail()
    world.wait(35 * MINUTE)
    return world


def rollback() -> World:
    """Let a person roll back."""
    world = on(2)
    world.roll_back()
    return world


def visibility_gap() -> World:
    """See nothing for over a day, and again."""
    world = on(2)
    world.sleep(25 * HOUR)
    world.beat()
    world.wait(5 * MINUTE)
    return world


def removal() -> World:
    """Take the ladder off, fall, and return."""
    world = on(2)
    world.change(ladder=LAX.ladder[:3])
    world.adopt(REMOVED)
    world.outage()
    world.good(60)
    world.wait(1 * HOUR)
    return world


def other_ladder() -> World:
    """Adopt a ladder that ends lower."""
    world = on(2)
    world.change(ladder=LAX.ladder[:2])
    return world


def isolation() -> World:
    """Let a isolation in, twice."""
    world: ProbedWorld = probed(1)
    world.probe_isolation(IsolationOutcome.ALLOWED)
    world.probe_isolation(IsolationOutcome.ALLOWED)
    return world


def release() -> World:
    """Note a release, and something else."""
    world = on(2)
    world.see(Noted(actor="ann", text="the timers are gone", release="web-12"))
    world.see(Noted(actor="ann", text="nothing of note"))
    return world


# fmt: off
LIVES: list[tuple[Callable[[], World], list[NotificationKind]]] = [
    # what happens    what is told, of the last of it
    (climbing,        [K.CLIMBED, K.CLIMBED]),
    (outage,          [K.ALARM_RAISED, K.FELL, K.ALARM_ENDED]),
    (hiccup,          [K.SUSPENSION_BEGAN, K.ALARM_RAISED, K.SUSPENSION_ENDED, K.ALARM_ENDED]),
    (long_shelter,    [K.SUSPENSION_BEGAN, K.ALARM_RAISED, K.ALARM_RAISED, K.FELL, K.SUSPENSION_ENDED]),
    (rollback,        [K.FELL]),
    (visibility_gap,       [K.FELL]),
    (removal,         [K.ALARM_RAISED, K.FELL, K.ALARM_ENDED, K.RETURNED]),
    (other_ladder,    [K.MOVED]),
    (isolation,        [K.ISOLATION_BROKEN]),
    (release,         [K.RELEASED]),
]
# fmt: on


@pytest.mark.parametrize(("life", "kinds"), LIVES)
def test_every_move_shelter_and_alarm_is_told_once(life: Callable[[], World], kinds: list[NotificationKind]) -> None:
    """What is told twice is believed half; what is not told is found out by payers."""
    notifications = told(life().records, stuck_after_ms=90 * 24 * HOUR)
    found = [each.kind for each in notifications if each.facts.get("reason", "reverb_unstable") == "reverb_unstable"]
    assert found[-len(kinds) :] == kinds
    assert len({notification.event for notification in notifications}) == len(notifications)


def test_a_shelter_that_ended_says_when_it_began() -> None:
    """It becomes a region in plots."""
    world = hiccup()
    (ended,) = [notification for notification in told(world.records) if notification.kind is K.SUSPENSION_ENDED]
    assert ended.from_ms is not None
    assert 10 * MINUTE <= ended.at_ms - ended.from_ms <= 11 * MINUTE
    (fallen,) = [
        notification for notification in told(long_shelter().records) if notification.kind is K.SUSPENSION_ENDED
    ]
    assert (fallen.tone, "in a fall" in fallen.words.title) == (Tone.BAD, True)


def test_a_rest_is_told_when_it_has_lasted_and_once_and_so_is_its_end() -> None:
    """Every restart rests for seconds; nobody wants to hear of it."""
    world = on(2)
    world.change(resume_after_ms=20 * MINUTE)
    world.sleep(1 * MINUTE)
    world.beat()
    rested_ms = world.now_ms
    world.wait(10 * MINUTE - 1)
    assert [notification.kind for notification in told(world.records)][-1] is K.CLIMBED
    world.wait(1)
    (resting,) = [notification for notification in told(world.records) if notification.kind is K.SUSPENSION_BEGAN]
    assert (resting.event, resting.facts["reason"]) == (f"suspension_began:{rested_ms}", "recovering")
    world.wait(15 * MINUTE)
    after = [
        notification
        for notification in told(world.records)
        if notification.kind in {K.SUSPENSION_BEGAN, K.SUSPENSION_ENDED}
    ]
    assert [notification.kind for notification in after] == [K.SUSPENSION_BEGAN, K.SUSPENSION_ENDED]
    assert after[1].from_ms == rested_ms
    restarted = on(2)
    restarted.start()
    restarted.wait(1 * MINUTE)
    assert not [
        notification
        for notification in told(restarted.records)
        if notification.kind in {K.SUSPENSION_BEGAN, K.SUSPENSION_ENDED}
    ]


# fmt: off
STUCK = [
    # rung, what else,     for how long,      told so often
    (2,     "nothing",     1 * HOUR - 1,      0),
    (2,     "nothing",     1 * HOUR,          1),
    (2,     "nothing",     2 * HOUR - 1,      1),
    (2,     "nothing",     2 * HOUR,          2),
    (2,     "a hold",      3 * HOUR,          0),
    (2,     "a freeze",    3 * HOUR,          0),
    (2,     "the last",    3 * HOUR,          0),
]
# fmt: on


@pytest.mark.parametrize(("rung", "what", "span_ms", "times"), STUCK)
def test_a_flag_that_is_stuck_is_told_of_each_time_that_so_long_has_passed(
    rung: int, what: str, span_ms: int, times: int
) -> None:
    """On the last rung it is no news, and who holds it knows."""
    world = on(rung)
    if what == "a hold":
        world.hold()
    if what == "a freeze":
        world.freeze("term", Once(from_ms=world.now_ms, until_ms=world.now_ms + 4 * HOUR))
    if what == "the last":
        world.change(ladder=LAX.ladder[:3])
    since_ms = world.state.flag.since_ms
    world.wait(since_ms + span_ms - world.now_ms)
    found = [
        notification
        for notification in told(world.records)
        if notification.kind is K.STUCK and notification.facts["rung"] == rung
    ]
    assert len(found) == times
    if found:
        assert "Closed gate: " in found[0].words.text


@pytest.mark.parametrize(("ago_ms", "is_told"), [(1 * HOUR - 1, True), (1 * HOUR, False)])
def test_after_a_restart_the_moves_of_the_last_hour_are_told_that_nobody_may_have_been_told_of(
    ago_ms: int, *, is_told: bool
) -> None:
    """A process that was killed between the fall and its notification must not have been the only one who knew."""
    world = on(2)
    world.outage()
    fallen = world.state.moves[-1]
    world.decides = False
    world.wait(fallen.at_ms + ago_ms - world.now_ms)
    state, (*before, last) = State(), world.records
    for record in before:
        fold(state, record)
    selector = Selector(state, stuck_after_ms=1000 * HOUR, suspended_after_ms=1000 * HOUR)
    found = [
        notification for notification in selector.select(last, fold(state, last)) if notification.at_ms == fallen.at_ms
    ]
    assert [(notification.event, notification.kind) for notification in found] == [
        (f"moved:{fallen.seq}", K.FELL)
    ] * is_told
    assert {notification.chain for notification in found} <= {state.chain}
    assert state.chain
    assert [notification.event for notification in told(world.records) if notification.kind is K.FELL] == [
        f"moved:{fallen.seq}"
    ]


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_nothing_that_is_pinned_makes_it_stumble_and_no_event_is_named_twice(kept: Path) -> None:
    """Lives with everything in them: each notification has its words, and a name of its own."""
    notifications = told(golden(kept))
    assert notifications
    assert len({notification.event for notification in notifications}) == len(notifications)
    for notification in notifications:
        assert notification.words.title.startswith("payment-refresh in test: ")
        assert notification.words.text
        assert notification.words.next


def test_notifications_name_commands_and_runbooks_that_there_are() -> None:
    """Whoever is told what to do next does it on a phone, at night."""
    helped = CliRunner().invoke(cli, ["--help"]).stdout
    known = set(re.findall(r"^\W*([a-z]+)  ", helped, flags=re.MULTILINE))
    said = [f"{each.words.text} {each.words.next}" for life, _ in LIVES for each in told(life().records)]
    commands = {command for text in said for command in re.findall(r"`sidecar ([a-z]+)", text)}
    books = {book for text in said for book in re.findall(r"ReverbSidecar\w+", text)}
    assert {"explain", "doctor", "status", "resume"} <= commands <= known
    assert books <= {path.stem for path in RUNBOOKS}
    assert {"ReverbSidecarDeliveryBurning", "ReverbSidecarRoundTripsFailing", "ReverbSidecarIsolationBroken"} <= books


def test_a_fall_says_what_was_what_is_why_and_for_how_long() -> None:
    """One notification in full, as it is read."""
    world = outage()
    (fell,) = [notification for notification in told(world.records) if notification.kind is K.FELL]
    assert fell.words.title == "payment-refresh in test: fall, all payers get timers"
    assert fell.words.text == (
        "The flag moved from push with a safety net for all payers to timers for all payers. Pages refetch at 0, 2 and 5 s, "
        "with or without a push. Cause: alarm of payments. The flag does not climb for 1 h (cool-down)."
    )
    assert fell.words.next == (
        f"Find the cause before push is proven again: `sidecar explain {fell.seq}`. Runbook: "
        "ReverbSidecarDeliveryBurning."
    )
    dry = World(msgspec.structs.replace(LAX, dry_run=True))
    dry.climb_to(1)
    (climbed,) = [notification for notification in told(dry.records) if notification.kind is K.CLIMBED]
    assert climbed.words.text.startswith("DRY RUN, push is not served: ")
