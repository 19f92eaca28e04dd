"""Which events lead to notifications: test worlds with literal times, and the expected notifications."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from sidecar.cli import cli
from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.operator_actions import Noted
from sidecar.core.facts.policy import LADDER_OFF, Lifecycle
from sidecar.core.facts.windows import Once
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State
from sidecar.notifications import NotificationKind, Selector, Tone
from tests.core.golden import KEPT, golden
from tests.core.probed import ProbedWorld, probed
from tests.core.world import HOUR, LAX, MINUTE, SECOND, World, on
from tests.notifications.sample import selected
from tests.rules.runbooks import RUNBOOKS

K = NotificationKind
REMOVED = msgspec.structs.replace(LAX, lifecycle=Lifecycle.REMOVED, ladder=LADDER_OFF)


def climbing() -> World:
    """Return a world with two climbs."""
    return on(2)


def outage() -> World:
    """Return a world with a fall by an alarm of payments, and the end of the alarm."""
    world = on(2)
    world.outage()
    world.good(60)
    return world


def short_outage() -> World:
    """Return a world with Reverb down for twenty seconds, until the end of the suspension."""
    world = probed(2)
    world.fail()
    world.wait(20 * SECOND)
    world.recover()
    world.wait(11 * MINUTE)
    return world


def long_outage() -> World:
    """Return a world with Reverb down for longer than the longest suspension."""
    world = probed(2)
    world.fail()
    world.wait(35 * MINUTE)
    return world


def rollback() -> World:
    """Return a world with a rollback."""
    world = on(2)
    world.roll_back()
    return world


def visibility_gap() -> World:
    """Return a world with a visibility gap of over a day."""
    world = on(2)
    world.sleep(25 * HOUR)
    world.beat()
    world.wait(5 * MINUTE)
    return world


def removal() -> World:
    """Return a world without a ladder, with a fall and a return."""
    world = on(2)
    world.change(ladder=LAX.ladder[:3])
    world.adopt(REMOVED)
    world.outage()
    world.good(60)
    world.wait(1 * HOUR)
    return world


def other_ladder() -> World:
    """Return a world that adopts a shorter ladder."""
    world = on(2)
    world.change(ladder=LAX.ladder[:2])
    return world


def isolation() -> World:
    """Return a world with two allowed isolation probes."""
    world: ProbedWorld = probed(1)
    world.probe_isolation(IsolationOutcome.ALLOWED)
    world.probe_isolation(IsolationOutcome.ALLOWED)
    return world


def release() -> World:
    """Return a world with a release note and another note."""
    world = on(2)
    world.see(Noted(actor="ann", text="the timers are gone", release="web-12"))
    world.see(Noted(actor="ann", text="nothing of note"))
    return world


# fmt: off
WORLDS: list[tuple[Callable[[], World], list[NotificationKind]]] = [
    # world           last notifications
    (climbing,        [K.CLIMBED, K.CLIMBED]),
    (outage,          [K.ALARM_RAISED, K.FELL, K.ALARM_ENDED]),
    (short_outage,          [K.SUSPENSION_BEGAN, K.ALARM_RAISED, K.SUSPENSION_ENDED, K.ALARM_ENDED]),
    (long_outage,    [K.SUSPENSION_BEGAN, K.ALARM_RAISED, K.ALARM_RAISED, K.FELL, K.SUSPENSION_ENDED]),
    (rollback,        [K.FELL]),
    (visibility_gap,       [K.FELL]),
    (removal,         [K.ALARM_RAISED, K.FELL, K.ALARM_ENDED, K.RETURNED]),
    (other_ladder,    [K.MOVED]),
    (isolation,        [K.ISOLATION_BROKEN]),
    (release,         [K.RELEASED]),
]
# fmt: on


@pytest.mark.parametrize(("world_of", "kinds"), WORLDS)
def test_every_move_suspension_and_alarm_is_notified_once(
    world_of: Callable[[], World], kinds: list[NotificationKind]
) -> None:
    """Each event has one notification with a unique name."""
    notifications = selected(world_of().records, stuck_after_ms=90 * 24 * HOUR)
    found = [each.kind for each in notifications if each.facts.get("reason", "reverb_unstable") == "reverb_unstable"]
    assert found[-len(kinds) :] == kinds
    assert len({notification.event for notification in notifications}) == len(notifications)


def test_the_end_of_a_suspension_has_its_beginning() -> None:
    """Grafana shows the suspension as a region."""
    world = short_outage()
    (ended,) = [notification for notification in selected(world.records) if notification.kind is K.SUSPENSION_ENDED]
    assert ended.from_ms is not None
    assert 10 * MINUTE <= ended.at_ms - ended.from_ms <= 11 * MINUTE
    (fallen,) = [
        notification for notification in selected(long_outage().records) if notification.kind is K.SUSPENSION_ENDED
    ]
    assert (fallen.tone, "in a fall" in fallen.words.title) == (Tone.BAD, True)


def test_a_long_suspension_is_notified_once_and_so_is_its_end() -> None:
    """Suspensions of seconds, as after every restart, are not notified."""
    world = on(2)
    world.change(resume_after_ms=20 * MINUTE)
    world.sleep(1 * MINUTE)
    world.beat()
    began_ms = world.now_ms
    world.wait(10 * MINUTE - 1)
    assert [notification.kind for notification in selected(world.records)][-1] is K.CLIMBED
    world.wait(1)
    (began,) = [notification for notification in selected(world.records) if notification.kind is K.SUSPENSION_BEGAN]
    assert (began.event, began.facts["reason"]) == (f"suspension_began:{began_ms}", "recovering")
    world.wait(15 * MINUTE)
    after = [
        notification
        for notification in selected(world.records)
        if notification.kind in {K.SUSPENSION_BEGAN, K.SUSPENSION_ENDED}
    ]
    assert [notification.kind for notification in after] == [K.SUSPENSION_BEGAN, K.SUSPENSION_ENDED]
    assert after[1].from_ms == began_ms
    restarted = on(2)
    restarted.start()
    restarted.wait(1 * MINUTE)
    assert not [
        notification
        for notification in selected(restarted.records)
        if notification.kind in {K.SUSPENSION_BEGAN, K.SUSPENSION_ENDED}
    ]


# fmt: off
STUCK = [
    # rung, condition,     duration,          notifications
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
def test_a_stuck_flag_is_notified_after_each_interval(rung: int, what: str, span_ms: int, times: int) -> None:
    """On the last rung, under a hold and in a freeze the flag is not stuck."""
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
        for notification in selected(world.records)
        if notification.kind is K.STUCK and notification.facts["rung"] == rung
    ]
    assert len(found) == times
    if found:
        assert "Closed gate: " in found[0].words.text


@pytest.mark.parametrize(("ago_ms", "is_notified"), [(1 * HOUR - 1, True), (1 * HOUR, False)])
def test_after_a_restart_the_moves_of_the_last_hour_are_notified(ago_ms: int, *, is_notified: bool) -> None:
    """A process may have been killed between a fall and its notification."""
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
    ] * is_notified
    assert {notification.chain for notification in found} <= {state.chain}
    assert state.chain
    assert [notification.event for notification in selected(world.records) if notification.kind is K.FELL] == [
        f"moved:{fallen.seq}"
    ]


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_every_event_of_the_golden_journals_has_a_text_and_a_unique_name(kept: Path) -> None:
    """The golden journals contain all kinds of events."""
    notifications = selected(golden(kept))
    assert notifications
    assert len({notification.event for notification in notifications}) == len(notifications)
    for notification in notifications:
        assert notification.words.title.startswith("payment-refresh in test: ")
        assert notification.words.text
        assert notification.words.next


def test_notifications_name_existing_commands_and_runbooks() -> None:
    """Every command and runbook in a text exists."""
    helped = CliRunner().invoke(cli, ["--help"]).stdout
    known = set(re.findall(r"^\W*([a-z]+)  ", helped, flags=re.MULTILINE))
    said = [f"{each.words.text} {each.words.next}" for world_of, _ in WORLDS for each in selected(world_of().records)]
    commands = {command for text in said for command in re.findall(r"`sidecar ([a-z]+)", text)}
    runbooks = {runbook for text in said for runbook in re.findall(r"ReverbSidecar\w+", text)}
    assert {"explain", "doctor", "status", "resume"} <= commands <= known
    assert runbooks <= {path.stem for path in RUNBOOKS}
    assert {
        "ReverbSidecarDeliveryBurning",
        "ReverbSidecarRoundTripsFailing",
        "ReverbSidecarIsolationBroken",
    } <= runbooks


def test_the_text_of_a_fall_has_both_rungs_the_cause_and_the_cool_down() -> None:
    """The complete text of one notification."""
    world = outage()
    (fell,) = [notification for notification in selected(world.records) if notification.kind is K.FELL]
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
    (climbed,) = [notification for notification in selected(dry.records) if notification.kind is K.CLIMBED]
    assert climbed.words.text.startswith("DRY RUN, push is not served: ")
