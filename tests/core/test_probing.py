"""What the probes say about sight: resumption, being cut off, silence, and payments that nobody watched."""

import pytest

from sidecar.core.decision.gates import gates
from sidecar.core.facts.auth_probes import RoundTripOutcome, StrangerVerdict, WalkOutcome
from sidecar.core.facts.observations import AckSeen
from sidecar.core.facts.policy import Mode, Stage
from sidecar.core.fold.conclusions import StrangerLetIn
from sidecar.core.fold.state import RestReason
from tests.core.probed import PROBED, ProbedWorld, probed
from tests.core.world import DAY, MINUTE, POLICY, REVERB, SECOND

T, S = Mode.TIMER_POLLING, Mode.PUSH_WITH_SAFETY_NET
LEASE = PROBED.lease_ms


def rest(world: ProbedWorld) -> RestReason | None:
    """Return why the flag rests."""
    return world.state.sight.rest


def down_since(world: ProbedWorld) -> int | None:
    """Return since when all sockets have been down."""
    return world.state.probing.down_since_ms


def blink(world: ProbedWorld, span_ms: int) -> None:
    """Be stopped for a while, and come back."""
    world.sleep(span_ms)
    world.start()
    world.observe(is_up=True)
    world.beat()


def test_after_a_short_blindness_one_heartbeat_one_round_trip_and_one_walk_bring_push_back() -> None:
    """A restart of a few seconds must not cost minutes of push."""
    world = probed(2)
    blink(world, LEASE)
    assert rest(world) is RestReason.RECOVERING
    world.probe()
    assert rest(world) is RestReason.RECOVERING
    world.take_a_walk()
    assert (rest(world), world.mode()) == (None, S)


def test_after_a_long_blindness_twenty_round_trips_and_three_walks_in_a_row_do() -> None:
    """One clean probe after an hour of darkness is a coin thrown once."""
    world = probed(2)
    blink(world, LEASE + 1)
    for _ in range(3):
        world.take_a_walk()
    for _ in range(19):
        world.probe()
    assert rest(world) is RestReason.RECOVERING
    world.probe()
    assert (rest(world), world.state.sight.is_long) == (None, False)


def test_in_a_row_means_in_a_row() -> None:
    """A failed probe begins anew, and only its own kind."""
    world = probed(2)
    blink(world, LEASE + 1)
    for _ in range(10):
        world.probe()
    world.take_a_walk()
    world.round_trip = RoundTripOutcome.LOST
    world.probe()
    assert (world.state.sight.round_trips_needed, world.state.sight.walks_needed) == (20, 2)
    world.walk = WalkOutcome.REFUSED_403
    world.take_a_walk()
    assert world.state.sight.walks_needed == 3


def test_a_blink_in_a_recovery_does_not_shorten_it() -> None:
    """A sidecar that is restarted every minute would else recover by being restarted."""
    world = probed(2)
    blink(world, LEASE + 1)
    blink(world, 1)
    assert (world.state.sight.round_trips_needed, world.state.sight.walks_needed) == (20, 3)
    gate = next(gate for gate in gates(world.state) if gate.name == "rest")
    assert gate.needs == "20 clean round trips and 3 clean walks in a row after a blindness"


def test_over_a_day_of_blindness_is_the_bottom_rung() -> None:
    """With or without probes."""
    world = probed(2)
    blink(world, DAY + 1)
    assert world.state.flag.rung == 0


def test_being_cut_off_is_no_failure_of_push() -> None:
    """Reverb, the app and the reference are away at once: it is our network, and the payments say nothing."""
    world = probed(2)
    bad = {name: stream.bad for name, stream in world.state.streams.items()}
    world.fail()
    world.is_cut_off = True
    name = world.pay()
    world.wait(1 * SECOND)
    world.probe()
    assert rest(world) is RestReason.CUT_OFF
    assert world.endings(name) == ["unmeasured: cut_off"]
    during = world.pay()
    world.wait(1 * MINUTE)
    assert world.endings(during) == ["unmeasured: cut_off"]
    assert world.state.flag.rung == 2
    assert {name: stream.bad for name, stream in world.state.streams.items()} == bad
    world.mend()
    world.probe()
    assert rest(world) is RestReason.RECOVERING
    world.wait(4 * MINUTE)
    assert (rest(world), world.mode()) == (None, S)


@pytest.mark.parametrize(
    ("kind", "allowed_ms"), [("round trips", 3 * 5 * SECOND + LEASE), ("walks", 3 * 60 * SECOND + LEASE)]
)
def test_probes_that_no_longer_end_make_the_flag_rest(kind: str, allowed_ms: int) -> None:
    """A prober that hangs sees no failure: silence is not health."""
    world = probed(2)
    world.probe()
    world.take_a_walk()
    end_ms = world.now_ms + allowed_ms
    while world.now_ms < end_ms:
        if kind == "walks":
            world.probe()
        world.sleep(min(5 * SECOND, end_ms - world.now_ms))
        world.beat()
    assert rest(world) is None
    world.sleep(1)
    world.beat()
    assert rest(world) is RestReason.PROBES_SILENT


def test_a_new_policy_gives_its_probes_the_time_to_speak() -> None:
    """Turned on in a sidecar that has run for a month, they are not a month late."""
    world = probed(0)
    world.change(reverb=None)
    world.wait(10 * MINUTE)
    world.change(reverb=REVERB)
    world.beat()
    assert rest(world) is not RestReason.PROBES_SILENT


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


def test_sockets_that_are_all_down_are_told_from_one_that_is() -> None:
    """A re-dialled socket is no outage."""
    world = probed(0)
    world.observe(is_up=True, observer=1)
    world.observe(is_up=False, observer=0)
    assert down_since(world) is None
    world.observe(is_up=False, observer=1)
    assert down_since(world) == world.now_ms
    world.wait(5 * SECOND)
    world.observe(is_up=True, observer=0)
    assert (down_since(world), world.state.probing.down_until_ms) == (None, world.now_ms)


def test_beside_our_sockets_the_backends_word_of_delivery_counts_for_nothing() -> None:
    """Who broadcasts cannot know whether it arrived: its word would hide a deaf node."""
    world = probed(2)
    name = world.pay()
    world.see(AckSeen(source="backend", stage=Stage.DELIVERED, payment_intent=name))
    world.see(AckSeen(source="backend", stage=Stage.DISPATCHED, payment_intent=name))
    world.wait(40 * SECOND)
    assert world.endings(name) == ["missed"]


def test_a_user_channel_tells_only_of_users_who_were_watched() -> None:
    """Where nothing tells of everybody, a payer whom nobody watched is left out, and one who was is judged."""
    world = ProbedWorld()
    world.watch("u1")
    world.broadcast("u1", source="user_channel")
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


def test_a_stranger_let_in_is_told_once() -> None:
    """Every ten minutes the same would be a log that nobody reads."""
    world = probed(2)
    world.ask_as_a_stranger(StrangerVerdict.LET_IN)
    world.ask_as_a_stranger(StrangerVerdict.LET_IN)
    assert sum(isinstance(one, StrangerLetIn) for one in world.conclusions) == 1
    assert world.state.tally.strangers == {StrangerVerdict.REFUSED: 1, StrangerVerdict.LET_IN: 2}
    assert world.mode() is S


def test_without_a_probed_reverb_nothing_of_this_is_asked() -> None:
    """An app that acks by itself needs no Reverb to be configured."""
    world = ProbedWorld(POLICY)
    assert {"stranger", "evidence_round_trips", "evidence_channel_auth"}.isdisjoint(
        gate.name for gate in gates(world.state)
    )
    world.sleep(LEASE)
    world.start()
    world.beat()
    assert rest(world) is None
