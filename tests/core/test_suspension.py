"""Suspension or fall: what Reverb's hiccups cost, and what they must not hide."""

import pytest

from sidecar.core.decision.decide import Action, decide
from sidecar.core.decision.gates import gates
from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome, UserAuth
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import SuspensionBegan, SuspensionEnded
from sidecar.core.fold.serving import Reason, served
from tests.core.probed import PROBED_GATES, ProbedWorld, probed
from tests.core.world import DAY, HOUR, MINUTE, SECOND, counted

T, S = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET


def hiccup(world: ProbedWorld, span_ms: int) -> None:
    """Make Reverb be away for a while."""
    world.fail()
    world.wait(span_ms)
    world.recover()


def test_three_failed_round_trips_are_answered_with_timers_and_the_rung_is_kept() -> None:
    """At five seconds each: a deploy of Reverb costs ten minutes of push, and no week of proof."""
    world = probed(2)
    world.fail()
    began_ms = world.now_ms
    while world.mode() is S:
        world.wait(1 * SECOND)
    assert world.now_ms - began_ms <= 25 * SECOND
    assert (served(world.state, 0).reason, world.state.flag.rung) == (Reason.SUSPENDED, 2)
    epochs = {name: indicator.epoch for name, indicator in world.state.indicators.items()}
    assert set(epochs.values()) == {1}


@pytest.mark.parametrize("span_ms", [15 * SECOND, 60 * SECOND, 10 * MINUTE])
def test_push_resumes_ten_minutes_after_the_last_failed_probe(span_ms: int) -> None:
    """Not after the alarm: while it fails, the end moves on."""
    world = probed(2)
    hiccup(world, span_ms)
    assert world.mode() is T
    last_failed_ms = max(
        world.state.probing.failed_round_trips_ms[-1],
        world.state.flag.suspension.until_ms - 10 * MINUTE,  # type: ignore[union-attr]
    )
    world.wait(last_failed_ms + 10 * MINUTE - 1 - world.now_ms)
    assert world.mode() is T
    world.wait(1)
    assert (world.mode(), world.state.flag.rung) == (S, 2)
    assert isinstance(world.last(SuspensionEnded), SuspensionEnded)
    assert not any(indicator.is_latched for indicator in world.state.indicators.values())


def test_soak_is_paused_in_a_suspension() -> None:
    """Time on timers proves nothing about push."""
    world = probed(2)
    hiccup(world, 20 * SECOND)
    soaked_ms = world.state.flag.soaked_ms
    world.wait(5 * MINUTE)
    assert world.state.flag.soaked_ms == soaked_ms


def test_payments_in_a_suspension_count_as_evidence_and_raise_no_alarm() -> None:
    """What Reverb loses is lost to payers: it is not left out. But it has been answered already."""
    world = probed(2)
    world.fail()
    world.wait(20 * SECOND)
    payments = world.state.indicators["payments"]
    bad, levels = payments.bad, list(payments.levels)
    world.bad(20)
    assert payments.bad == bad + 20
    assert (payments.levels or [0], payments.is_latched) == (levels or [0], False)
    assert world.state.flag.rung == 2


@pytest.mark.parametrize(
    ("nth", "gap_ms", "rung"),
    [
        (2, 12 * MINUTE, 2),
        (3, 12 * MINUTE, 0),
        (3, 12 * HOUR + 1, 2),
    ],
)
def test_the_third_suspension_in_a_day_is_a_fall(nth: int, gap_ms: int, rung: int) -> None:
    """What keeps happening is no hiccup."""
    world = probed(2)
    for _ in range(nth):
        hiccup(world, 20 * SECOND)
        world.wait(gap_ms)
    assert world.state.flag.rung == rung
    if rung == 0:
        assert "third suspension" in world.state.moves[-1].detail
        assert world.state.flag.cooldown_until_ms > 0


def test_a_suspension_of_over_half_an_hour_is_a_fall() -> None:
    """On both sides of the boundary."""
    world = probed(2)
    world.fail()
    while world.state.flag.suspension is None:
        world.wait(1 * SECOND)
    began_ms = world.state.flag.suspension.began_ms
    world.wait(began_ms + 30 * MINUTE - world.now_ms)
    assert world.state.flag.rung == 2
    world.wait(1)
    assert world.state.tally.moves == {**world.state.tally.moves, "push_with_safety_net/timer_polling/suspension": 1}
    assert "over 30 minutes" in world.state.moves[-1].detail


def pay_into_nothing(world: ProbedWorld, count: int) -> None:
    """Make payments come that nobody learns of, a second apart."""
    for _ in range(count):
        world.pay()
        world.wait(1 * SECOND)


def test_an_alarm_of_payments_while_reverb_was_away_is_a_suspension() -> None:
    """At a payment a second the third miss comes before the third round trip."""
    world = probed(2)
    world.change(reliability_ppm=990_000, unacceptable_reliability_ppm=950_000)
    world.fail()
    pay_into_nothing(world, 11)
    assert world.mode() is T
    assert decide(world.state, "a").reason in {"attribution", "suspension"}
    world.recover()
    world.wait(2 * MINUTE)
    assert (world.state.flag.rung, served(world.state, 0).reason) == (2, Reason.SUSPENDED)
    world.wait(10 * MINUTE)
    assert world.mode() is S


def test_an_alarm_of_payments_while_all_sockets_were_down_is_a_suspension() -> None:
    """A restart between two round trips fails no round trip."""
    world = probed(2)
    world.observe(is_up=False)
    pay_into_nothing(world, 8)
    world.observe(is_up=True)
    world.wait(2 * MINUTE)
    assert served(world.state, 0).reason is Reason.SUSPENDED


def test_an_alarm_of_payments_while_reverb_was_well_is_a_fall_a_minute_later() -> None:
    """A queue that stands still fails no probe: it is what the alarm of payments is for."""
    world = probed(2)
    began_ms = world.now_ms
    while not world.state.indicators["payments"].is_latched:
        pay_into_nothing(world, 1)
    assert (world.mode(), world.state.flag.rung) == (T, 2)
    named_ms = world.state.indicators["payments"].alarmed_ms + MINUTE
    world.wait(named_ms - 1 - world.now_ms)
    assert (world.state.flag.rung, decide(world.state, "a").reason) == (2, "attribution")
    world.wait(1)
    assert (world.state.flag.rung, world.mode()) == (0, T)
    assert world.now_ms - began_ms < 2 * MINUTE


def test_a_hiccup_long_before_the_first_missed_payment_excuses_nothing() -> None:
    """Half a minute before the first failure is as far back as it looks."""
    world = probed(2)
    world.round_trip = RoundTripOutcome.LOST
    world.wait(10 * SECOND)
    world.recover()
    world.wait(45 * SECOND)
    pay_into_nothing(world, 10)
    world.wait(2 * MINUTE)
    assert world.state.flag.rung == 0


def test_payers_who_are_refused_are_no_hiccup() -> None:
    """Probes and payments may all be well: an alarm of payers is a fall at once."""
    world = probed(2)
    for number in range(12):
        world.authorise(f"u{number}", UserAuth.REFUSED)
        world.ack(world.pay(user=f"u{number}"))
        world.wait(1 * SECOND)
    world.wait(11 * MINUTE)
    assert (world.state.flag.rung, "user_auth" in world.state.moves[-1].detail) == (0, True)


def test_auth_probes_that_fail_alone_are_a_suspension_too() -> None:
    """The 403 that this project is about: the transport is fine, and nobody may listen."""
    world = probed(2)
    world.auth_probe = AuthProbeOutcome.REFUSED_403
    world.wait(3 * MINUTE)
    assert (world.state.flag.rung, served(world.state, 0).reason) == (2, Reason.SUSPENDED)
    assert isinstance(world.last(SuspensionBegan), SuspensionBegan)


def test_on_the_bottom_rung_there_is_no_suspension() -> None:
    """There is nothing to be suspended: the alarm blocks climbing until it is calm."""
    world = probed(0)
    world.fail()
    world.wait(1 * MINUTE)
    assert (world.state.flag.suspension, world.state.flag.version) == (None, world.state.flag.version)
    assert decide(world.state, "a").reason == "alarm"


def test_a_fall_forgets_the_suspensions() -> None:
    """Its cool-down and its new epoch are the answer to what was before."""
    world = probed(2)
    hiccup(world, 20 * SECOND)
    world.roll_back()
    assert (world.state.flag.rung, world.state.flag.suspension) == (0, None)


# fmt: off
GATES = [
    # what is the case,                                                     the reason to stay
    ("the isolation probe was allowed",                                             "isolation"),
    ("no proof of round_trips",                                             "evidence_round_trips"),
    ("no proof of channel_auth",                                            "evidence_channel_auth"),
    ("attribution",                                                              "attribution"),
    ("suspended",                                                           "suspension"),
]
# fmt: on


@pytest.mark.parametrize(("what", "reason"), GATES)
def test_what_the_probes_say_can_stand_in_the_way(what: str, reason: str) -> None:
    """Each row is a climb to push over a Reverb that is not well."""
    world = probed(1)
    world.decides = False
    world.wait(2 * MINUTE)
    indicator = world.state.indicators.get(what.rpartition(" ")[2])
    match what.split(" "):
        case ["the", "isolation", *_]:
            world.probe_isolation(IsolationOutcome.ALLOWED)
        case ["no", "proof", *_] if indicator is not None:
            counted(indicator, 10)
        case ["attribution"]:
            pay_into_nothing(world, 8)
        case ["suspended"]:
            hiccup(world, 20 * SECOND)
    verdict = decide(world.state, "a")
    assert (verdict.action, verdict.reason) == (Action.STAY, reason)


def test_an_alarm_says_what_ends_it() -> None:
    """During a suspension time does, without a failed probe; before it has a name, a minute; on the bottom rung clean outcomes."""
    world = probed(1)
    hiccup(world, 20 * SECOND)
    alarm, suspension = gates(world.state)[1], world.state.flag.suspension
    assert suspension is not None
    assert (alarm.name, "without a failed probe" in alarm.needs) == ("suspension", True)
    assert alarm.expected_ms == suspension.until_ms
    world = probed(1)
    while not world.state.indicators["payments"].is_latched:
        pay_into_nothing(world, 1)
    alarm = gates(world.state)[0]
    assert "to attribute it to Reverb or to push" in alarm.needs
    assert alarm.expected_ms == world.state.indicators["payments"].alarmed_ms + MINUTE
    world.wait(2 * MINUTE)
    assert "in a row to calm payments" in gates(world.state)[0].needs


def test_every_gate_of_the_probes_is_reached() -> None:
    """A gate that nothing can close is a promise that nobody tested."""
    assert {reason for _, reason in GATES} == PROBED_GATES | {"attribution", "suspension"}


def test_an_isolation_probe_that_is_refused_again_opens_the_gate() -> None:
    """And one whose request was not answered says nothing."""
    world = probed(1)
    world.probe_isolation(IsolationOutcome.ALLOWED)
    world.probe_isolation(IsolationOutcome.UNKNOWN)
    assert decide(world.state, "a").reason == "isolation"
    world.probe_isolation(IsolationOutcome.REFUSED)
    assert decide(world.state, "a").reason != "isolation"


@pytest.mark.parametrize(("per_day", "misses"), [(40, (0, 1)), (30_000, (3, 12))])
def test_a_deploy_of_reverb_costs_a_suspension_and_no_epoch(per_day: int, misses: tuple[int, int]) -> None:
    """A restart of 15 s, at 40 payments a day and at 30 000, under the default objective."""
    world = probed(2)
    world.change(reliability_ppm=990_000, unacceptable_reliability_ppm=950_000)
    world.prove()
    epochs = {name: indicator.epoch for name, indicator in world.state.indicators.items()}
    bad, every_ms = world.state.indicators["payments"].bad, DAY // per_day
    world.fail()
    world.observe(is_up=False)
    end_ms = world.now_ms + 15 * SECOND
    next_pay_ms = world.now_ms + min(every_ms, 10 * SECOND)
    while world.now_ms < end_ms:
        if world.now_ms >= next_pay_ms:
            world.pay(user=None)
            next_pay_ms += every_ms
        world.wait(500)
    world.recover()
    world.observe(is_up=True)
    world.wait(2 * MINUTE)
    assert (world.mode(), world.state.flag.rung) == (T, 2)
    world.wait(9 * MINUTE)
    assert (world.mode(), world.state.flag.rung) == (S, 2)
    assert {name: indicator.epoch for name, indicator in world.state.indicators.items()} == epochs
    assert world.state.tally.suspensions.get(SuspensionReason.REVERB_UNSTABLE, 0) == 1
    assert misses[0] <= world.state.indicators["payments"].bad - bad <= misses[1]
