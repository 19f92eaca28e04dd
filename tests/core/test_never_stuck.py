"""States that nothing would end: each has a way out, and what is over does not weigh for ever."""

import msgspec
import pytest

from sidecar.core.decision.gates import gates
from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome, Step, UserAuth
from sidecar.core.facts.observations import (
    AckReceived,
    ChannelAuthProbed,
    ObserverChanged,
    PaymentSucceeded,
    RoundTripEnded,
    UserAuthReported,
    WatchChanged,
)
from sidecar.core.facts.outcomes import Unmeasured
from sidecar.core.facts.policy import ReverbPolicy, ReverbTarget, Stage
from sidecar.core.fold.votes import REPORTERS_MAX
from sidecar.core.statistics.indicators import OF_PAYERS, PAYMENTS, USER_AUTH
from tests.core.test_votes import Votes
from tests.core.world import HOUR, LAX, MINUTE, POLICY, REVERB, SECOND, World


@pytest.mark.parametrize("is_observing", [True, False])
def test_a_reverb_that_is_removed_while_we_are_cut_off_holds_nobody(*, is_observing: bool) -> None:
    """Only a probe would end it, and nothing probes any more."""
    world = World(msgspec.structs.replace(POLICY, reverb=msgspec.structs.replace(REVERB, is_observing=is_observing)))
    world.source = "observer" if is_observing else "backend"
    world.see(ObserverChanged(replica="a", observer=0, is_up=True, outcome=AuthProbeOutcome.OK))
    world.wire()
    world.see(RoundTripEnded(replica="a", outcome=RoundTripOutcome.API_UNREACHABLE, took_ms=9, is_cut_off=True))
    world.wait(1 * MINUTE)
    assert is_suspended(world)
    world.start()
    world.change(reverb=None)
    world.source = "backend"
    world.wait(10 * MINUTE)
    assert not is_suspended(world)
    world.good(10)
    assert world.state.indicators[PAYMENTS].good == 10


def is_suspended(world: World) -> bool:
    """Return whether push is suspended because the sidecar cannot measure."""
    return world.state.suspension is not None


def redelivered(world: World, count: int, *, every_ms: int) -> None:
    """Make payments come whose webhook Stripe delivered again, for no reason that the sidecar knows."""
    for _ in range(count):
        now_s = world.now_ms // 1000
        name = f"pi_again_{world.now_ms}"
        world.see(PaymentSucceeded(payment_intent=name, event_id=f"evt_{name}", created_s=now_s - 60, signed_s=now_s))
        world.wait(every_ms)


def test_a_bad_week_that_is_over_does_not_close_the_worst_case_for_months() -> None:
    """A new epoch would be proven sooner than this one's worst case recovers: 265 doubtful payments weigh for 5 000."""
    world = World(msgspec.structs.replace(POLICY, lease_ms=2 * HOUR))
    world.wire()
    world.good(50)
    redelivered(world, 265, every_ms=3 * SECOND)
    assert world.state.indicators[PAYMENTS].doubtful == 265
    world.good(200)
    for _ in range(7 * 24):
        world.sleep(1 * HOUR)
        world.beat()
    world.good(1200)
    assert world.state.indicators[PAYMENTS].epoch == 2
    assert world.state.flag.rung > 0, [gate for gate in gates(world.state) if not gate.passes]


def test_at_the_top_doubts_discard_no_proof() -> None:
    """There is nothing to climb to, and the release gate would wait for the new proof for weeks."""
    world = World(msgspec.structs.replace(LAX, lease_ms=2 * HOUR, ladder=LAX.ladder[:3]))
    world.climb_to(2)
    redelivered(world, 300, every_ms=3 * SECOND)
    for _ in range(7 * 24):
        world.sleep(1 * HOUR)
        world.beat()
    world.good(220)
    assert (world.state.flag.rung, world.state.indicators[PAYMENTS].epoch) == (2, 1)


def test_what_was_doubtful_before_the_first_outcome_is_forgotten_by_a_reset() -> None:
    """There is no epoch yet that could end, but an operator's reset means what it says."""
    world = World(POLICY)
    world.wire()
    redelivered(world, 30, every_ms=3 * SECOND)
    assert world.state.indicators[PAYMENTS].doubtful == 30
    world.reset()
    indicator = world.state.indicators[PAYMENTS]
    assert (indicator.doubtful, indicator.unmeasured, indicator.epoch) == (0, 0, 1)
    redelivered(world, 3, every_ms=3 * SECOND)
    world.change(contexts=("other",))
    assert world.state.indicators[PAYMENTS].doubtful == 0


def test_a_user_who_is_not_watched_is_no_miss_where_acks_name_their_payments() -> None:
    """No socket could see the broadcast."""
    world = World(msgspec.structs.replace(POLICY, reverb=REVERB))
    world.see(ObserverChanged(replica="a", observer=0, is_up=True, outcome=AuthProbeOutcome.OK))
    world.see(WatchChanged(replica="a", user_ref="watched", is_on=True))
    world.wait(5 * SECOND)
    for number in range(20):
        user = "watched" if number % 2 else f"other{number}"
        name = world.pay(user=user)
        world.now_ms += 300
        if user == "watched":
            ack = AckReceived(source="user_channel", stage=Stage.DELIVERED, payment_intent=name, user_ref=user)
            world.see(ack)
        world.wait(40 * SECOND)
    indicator = world.state.indicators[PAYMENTS]
    assert (indicator.good_total, indicator.bad_total) == (10, 0)
    assert world.state.tally.unmeasured[Unmeasured.NOT_WATCHED] == 9
    name = world.pay(user="watched")
    world.wait(1 * MINUTE)
    assert world.endings(name) == ["missed"]


def test_that_every_user_was_covered_is_forgotten_with_the_stage() -> None:
    """The backend dispatched for everybody; of who is delivered to, only the watched users are known."""
    world = World(msgspec.structs.replace(LAX, stage=Stage.DISPATCHED))
    world.pay(name="pi_first")
    world.ack("pi_first", Stage.DISPATCHED)
    world.start()
    world.change(stage=Stage.DELIVERED, reverb=REVERB)
    world.see(ObserverChanged(replica="a", observer=0, is_up=True, outcome=AuthProbeOutcome.OK))
    world.see(WatchChanged(replica="a", user_ref="watched", is_on=True))
    for number in range(20):
        name = world.pay(user="watched" if number % 2 else f"other{number}")
        if number % 2:
            world.see(AckReceived(source="user_channel", stage=Stage.DELIVERED, payment_intent=name))
        world.wait(40 * SECOND)
    indicator = world.state.indicators[PAYMENTS]
    assert (indicator.good_total, indicator.bad_total) == (10, 0)
    assert world.state.tally.unmeasured[Unmeasured.NOT_WATCHED] == 9


@pytest.mark.parametrize("name", OF_PAYERS)
def test_an_alarm_lasts_as_long_as_its_damage_however_many_payers_have_it(name: str) -> None:
    """Who was remembered is bounded; were the votes of others not counted, good ones alone would end the alarm."""
    them = Votes(name)
    for number in range(2 * REPORTERS_MAX + 1400):
        them.vote(f"u{number}", is_good=number % 2 == 0)
        them.wait(1 * SECOND)
        assert them.is_alarmed or number < 20
    assert len(them.state.indicators[name].reporters) == REPORTERS_MAX


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_reset_ends_an_alarm_of_payers_who_fell_silent(*, is_silent: bool) -> None:
    """The backend reported that payers were refused, and then reported nothing: `user_auth` cannot be waived."""
    world = World(msgspec.structs.replace(LAX, lease_ms=2 * HOUR))
    world.wire()
    for number in range(8):
        user = f"u{number}"
        world.see(UserAuthReported(result=UserAuth.GUEST, user_ref=user))
        world.ack(world.pay(user=user))
    world.wait(11 * MINUTE)
    for _ in range(46 + 4 * is_silent):
        world.sleep(1 * HOUR)
        world.beat()
    assert ("sidecar reset" in alarm_needs(world)) is is_silent
    world.reset()
    assert world.state.indicators[USER_AUTH].is_latched is not is_silent
    world.good(100)
    assert (world.state.flag.rung > 0) is is_silent


def alarm_needs(world: World) -> str:
    """Return what the gate `alarm` says it needs."""
    return next(gate.needs for gate in gates(world.state) if gate.name == "alarm")


def reverb_at(url: str) -> ReverbPolicy:
    """Return a Reverb at this URL, which is probed and not observed."""
    target = ReverbTarget(
        url=url,
        app_id="1",
        app_key="k",
        auth_endpoint="https://app.example.test/auth",
        channel="c",
        observer_channel="",
    )
    return msgspec.structs.replace(REVERB, is_observing=False, target=target)


@pytest.mark.parametrize("between", [False, True])
def test_another_reverb_is_another_proof_also_by_way_of_none(*, between: bool) -> None:
    """To remove the section for a moment must not carry the proof to the next Reverb."""
    world = World(msgspec.structs.replace(LAX, stage=Stage.DISPATCHED, reverb=reverb_at("wss://one.example.test")))
    world.wire()
    world.state.flag.rung = 1
    if between:
        world.change(reverb=None)
        assert world.state.flag.rung == 1
    world.change(reverb=reverb_at("wss://one.example.test"))
    assert world.state.flag.rung == 1, "the same Reverb again is the same proof"
    if between:
        world.change(reverb=None)
    world.see(RoundTripEnded(replica="a", outcome=RoundTripOutcome.OK, took_ms=9))
    world.see(ChannelAuthProbed(replica="a", outcome=AuthProbeOutcome.OK, step=Step.SUBSCRIBE, took_ms=9))
    world.change(reverb=reverb_at("wss://two.example.test"))
    assert world.state.flag.rung == 0
