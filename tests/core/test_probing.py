"""What the probes say about visibility: resumption, being cut off, silence, and payments that nobody watched."""

import pytest

from sidecar.core.decision.gates import gates
from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome
from sidecar.core.facts.observations import AckReceived
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import IsolationBroken
from tests.core.probed import PROBED, ProbedWorld, probed
from tests.core.world import DAY, MINUTE, POLICY, REVERB, SECOND

T, S = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET
LEASE = PROBED.lease_ms


def rest(world: ProbedWorld) -> SuspensionReason | None:
    """Return why push is suspended."""
    return world.state.visibility.suspension


def down_since(world: ProbedWorld) -> int | None:
    """Return since when all sockets have been down."""
    return world.state.probing.down_since_ms


def blink(world: ProbedWorld, span_ms: int) -> None:
    """Be stopped for a while, and come back."""
    world.sleep(span_ms)
    world.start()
    world.observe(is_up=True)
    world.beat()


def test_after_a_short_visibility_gap_one_heartbeat_one_round_trip_and_one_auth_probe_bring_push_back() -> None:
    """A restart of a few seconds must not cost minutes of push."""
    world = probed(2)
    blink(world, LEASE)
    assert rest(world) is SuspensionReason.RECOVERING
    world.probe()
    assert rest(world) is SuspensionReason.RECOVERING
    world.run_auth_probe()
    assert (rest(world), world.mode()) == (None, S)


def test_after_a_long_visibility_gap_twenty_round_trips_and_three_auth_probes_in_a_row_do() -> None:
    """One clean probe after an hour of darkness is a coin thrown once."""
    world = probed(2)
    blink(world, LEASE + 1)
    for _ in range(3):
        world.run_auth_probe()
    for _ in range(19):
        world.probe()
    assert rest(world) is SuspensionReason.RECOVERING
    world.probe()
    assert (rest(world), world.state.visibility.is_long) == (None, False)


def test_in_a_row_means_in_a_row() -> None:
    """A failed probe begins anew, and only its own kind."""
    world = probed(2)
    blink(world, LEASE + 1)
    for _ in range(10):
        world.probe()
    world.run_auth_probe()
    world.round_trip = RoundTripOutcome.LOST
    world.probe()
    assert (world.state.visibility.round_trips_needed, world.state.visibility.auth_probes_needed) == (20, 2)
    world.auth_probe = AuthProbeOutcome.REFUSED_403
    world.run_auth_probe()
    assert world.state.visibility.auth_probes_needed == 3


def test_a_blink_in_a_recovery_does_not_shorten_it() -> None:
    """A sidecar that is restarted every minute would else recover by being restarted."""
    world = probed(2)
    blink(world, LEASE + 1)
    blink(world, 1)
    assert (world.state.visibility.round_trips_needed, world.state.visibility.auth_probes_needed) == (20, 3)
    gate = next(gate for gate in gates(world.state) if gate.name == "suspension")
    assert gate.needs == "20 clean round trips and 3 clean auth probes in a row after a visibility gap"


def test_over_a_day_of_visibility_gap_is_the_bottom_rung() -> None:
    """With or without probes."""
    world = probed(2)
    blink(world, DAY + 1)
    assert world.state.flag.rung == 0


def test_being_cut_off_is_no_failure_of_push() -> None:
    """Reverb, the app and the reference are away at once: it is our network, and the payments say nothing."""
    world = probed(2)
    bad = {name: indicator.bad for name, indicator in world.state.indicators.items()}
    world.fail()
    world.is_cut_off = True
    name = world.pay()
    world.wait(1 * SECOND)
    world.probe()
    assert rest(world) is SuspensionReason.CUT_OFF
    assert world.endings(name) == ["unmeasured: cut_off"]
    during = world.pay()
    world.wait(1 * MINUTE)
    assert world.endings(during) == ["unmeasured: cut_off"]
    assert world.state.flag.rung == 2
    assert {name: indicator.bad for name, indicator in world.state.indicators.items()} == bad
    world.recover()
    world.probe()
    assert rest(world) is SuspensionReason.RECOVERING
    world.wait(4 * MINUTE)
    assert (rest(world), world.mode()) == (None, S)


@pytest.mark.parametrize(
    ("kind", "allowed_ms"), [("round trips", 3 * 5 * SECOND + LEASE), ("auth_probes", 3 * 60 * SECOND + LEASE)]
)
def test_probes_that_no_longer_end_make_the_flag_rest(kind: str, allowed_ms: int) -> None:
    """A prober that hangs sees no failure: silence is not health."""
    world = probed(2)
    world.probe()
    world.run_auth_probe()
    end_ms = world.now_ms + allowed_ms
    while world.now_ms < end_ms:
        if kind == "auth_probes":
            world.probe()
        world.sleep(min(5 * SECOND, end_ms - world.now_ms))
        world.beat()
    assert rest(world) is None
    world.sleep(1)
    world.beat()
    assert rest(world) is SuspensionReason.PROBES_SILENT


def test_a_new_policy_gives_its_probes_the_time_to_speak() -> None:
    """Turned on in a sidecar that has run for a month, they are not a month late."""
    world = probed(0)
    world.change(reverb=None)
    world.wait(10 * MINUTE)
    world.change(reverb=REVERB)
    world.beat()
    assert rest(world) is not SuspensionReason.PROBES_SILENT


def test_a_payment_from_before_our_sockets_had_a_fate_says_nothing() -> None:
    """In the first second after a start nobody listens yet; push may have worked."""
    world = probed(2)
    world.start()
    world.beat()
    early = world.pay()
    acked = world.pay()
    world.ack(acked)
    world.wait(1 * SECOND)
    world.observe(is_up=True)
    world.wait(3 * SECOND)
    late = world.pay()
    world.wait(40 * SECOND)
    assert (world.endings(early), world.endings(acked)) == (["unmeasured: not_watched"], ["unmeasured: not_watched"])
    assert world.endings(late) == ["missed"]


def test_a_socket_that_is_refused_is_a_fate_too() -> None:
    """Reverb is away while we start: leaving those payments out would hide just the outages that matter."""
    world = probed(2)
    world.start()
    world.observe(is_up=False)
    world.beat()
    name = world.pay()
    world.wait(40 * SECOND)
    assert world.endings(name) == ["missed"]


def test_sockets_that_are_all_down_are_distinguished_from_one_that_is() -> None:
    """A re-dialled socket is no outage."""
    world = probed(0)
    world.observe(is_up=True, observer=1)
    world.observe(is_up=False, observer=0)
    assert down_since(world) is None
    world.observe(is_up=False, observer=1)
    assert down_since(world) == world.now_ms
    world.wait(5 * SECOND)
    world.observe(is_up=True, observer=0)
    assert (down_since(world), world.state.probing.downs_ms[-1][1]) == (None, world.now_ms)


def test_beside_our_sockets_the_backends_word_of_delivery_counts_for_nothing() -> None:
    """Who broadcasts cannot know whether it arrived: its word would hide a deaf node."""
    world = probed(2)
    name = world.pay()
    world.see(AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent=name))
    world.see(AckReceived(source="backend", stage=Stage.DISPATCHED, payment_intent=name))
    world.wait(40 * SECOND)
    assert world.endings(name) == ["missed"]


def test_a_user_channel_tells_only_of_users_who_were_watched() -> None:
    """Where nothing tells of everybody, a payer whom nobody watched is left out, and one who was is judged."""
    world = ProbedWorld()
    world.watch("u1")
    world.pay(user="u1")
    world.broadcast("u1", source="user_channel")
    world.wait(40 * SECOND)
    watched, unwatched = world.pay(user="u1"), world.pay(user="u2")
    world.sleep(1)
    world.watch("u2")
    world.wait(40 * SECOND)
    again = world.pay(user="u2")
    world.broadcast("u2", source="user_channel")
    world.wait(3 * SECOND)
    assert world.endings(watched) == ["missed"]
    assert world.endings(unwatched) == ["unmeasured: not_watched"]
    assert world.endings(again) == ["on_time"]
    world.watch("u2", is_on=False)
    last = world.pay(user="u2")
    world.wait(40 * SECOND)
    assert world.endings(last) == ["unmeasured: not_watched"]


def test_an_isolation_breach_is_reported_once() -> None:
    """Every ten minutes the same would be a log that nobody reads."""
    world = probed(2)
    world.probe_isolation(IsolationOutcome.ALLOWED)
    world.probe_isolation(IsolationOutcome.ALLOWED)
    assert sum(isinstance(one, IsolationBroken) for one in world.conclusions) == 1
    assert world.state.tally.isolation_probes == {IsolationOutcome.REFUSED: 1, IsolationOutcome.ALLOWED: 2}
    assert world.mode() is S


def test_without_a_probed_reverb_nothing_of_this_is_asked() -> None:
    """An app that acks by itself needs no Reverb to be configured."""
    world = ProbedWorld(POLICY)
    assert {"isolation", "evidence_round_trips", "evidence_channel_auth"}.isdisjoint(
        gate.name for gate in gates(world.state)
    )
    world.sleep(LEASE)
    world.start()
    world.beat()
    assert rest(world) is None
