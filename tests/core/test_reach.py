"""What payers' browsers tell: what it says of push, whose vote it is, and what forged reports can do."""

import copy
import functools

import msgspec
import pytest

from sidecar.core.browsers import ClearedBy, Flow, Reading, Subscription, Verdict, verdict_of
from sidecar.core.decide import Action, decide
from sidecar.core.gates import gates
from sidecar.core.observations import Climbed, FallCause, Fell
from sidecar.core.policy import Mode
from sidecar.core.reach import ACCUSERS_MIN, REPORTS_WITHIN_MS, VOTES_EVERY_MS
from sidecar.core.state import ReportOutcome, State
from sidecar.core.streams import REACH
from sidecar.core.walks import StrangerVerdict, UserAuth
from tests.core.probed import ProbedWorld, probed
from tests.core.world import HOUR, LAX, MINUTE, REACHED, REFUSED, SECOND, World, on

GOOD, BAD, GONE, NEVER = Verdict.GOOD, Verdict.BAD, Verdict.GONE, Verdict.NEVER_PAID
FIRST, PUSH, SUBSCRIBE, TIMER = ClearedBy.FIRST, ClearedBy.PUSH, ClearedBy.SUBSCRIBE, ClearedBy.TIMER

# fmt: off
VERDICTS = [
    # subscribed, pushed, cleared, by,                  watched, verdict
    (200,         900,    1000,    PUSH,                30_000,  GOOD),
    (200,         None,   1000,    SUBSCRIBE,           30_000,  GOOD),
    (200,         None,   100,     FIRST,               30_000,  GOOD),
    (0,           900,    1000,    PUSH,                1_000,   GOOD),
    # --- the subscription is confirmed in time, or it is not
    (2_999,       None,   100,     FIRST,               30_000,  GOOD),
    (3_000,       None,   100,     FIRST,               30_000,  BAD),
    (3_000,       3_100,  3_200,   PUSH,                30_000,  BAD),
    (None,        None,   100,     FIRST,               30_000,  BAD),
    (None,        None,   2_100,   TIMER,               30_000,  BAD),
    (None,        None,   2_100,   TIMER,               3_000,   BAD),
    (None,        None,   2_100,   TIMER,               2_999,   GONE),
    (None,        None,   None,    None,                3_000,   BAD),
    # --- a poll was first, and the push came soon after, or it did not
    (200,         2_050,  2_000,   TIMER,               30_000,  GOOD),
    (200,         1_900,  2_000,   TIMER,               30_000,  GOOD),
    (200,         3_999,  2_000,   TIMER,               30_000,  GOOD),
    (200,         4_000,  2_000,   TIMER,               30_000,  BAD),
    (200,         None,   2_000,   TIMER,               4_000,   BAD),
    (200,         None,   2_000,   TIMER,               3_999,   GONE),
    (200,         None,   5_000,   ClearedBy.SAFETY_NET, 30_000, BAD),
    (200,         None,   9_000,   ClearedBy.RETURN,    30_000,  GONE),
    (200,         10_999, 9_000,   ClearedBy.RETURN,    30_000,  GOOD),
    (200,         None,   9_000,   ClearedBy.MOVED,     30_000,  BAD),
    (200,         None,   9_000,   ClearedBy.LEASE,     30_000,  BAD),
    (200,         None,   28_000,  ClearedBy.LAST,      30_000,  BAD),
    (200,         None,   30_008,  ClearedBy.LAST,      30_009,  BAD),
    (200,         None,   28_500,  TIMER,               30_000,  BAD),
    (200,         None,   28_500,  TIMER,               29_999,  GONE),
    # --- nobody saw it paid
    (200,         None,   None,    None,                29_999,  GONE),
    (200,         None,   None,    None,                30_000,  NEVER),
    (200,         900,    None,    None,                30_000,  NEVER),
    (None,        None,   None,    None,                30_000,  NEVER),
]
# fmt: on


def reading(
    subscribed: int | None, pushed: int | None, cleared: int | None, by: ClearedBy | None, watched: int
) -> Reading:
    """Return what a browser measured."""
    return msgspec.structs.replace(
        REACHED,
        subscription=Subscription.SILENT if subscribed is None else Subscription.CONFIRMED,
        subscribed_ms=subscribed,
        pushed_ms=pushed,
        cleared_ms=cleared,
        cleared_by=by,
        watched_ms=watched,
    )


@pytest.mark.parametrize(("subscribed", "pushed", "cleared", "by", "watched", "verdict"), VERDICTS)
def test_a_report_says_whether_push_alone_would_have_cleared_the_alert(
    subscribed: int | None,
    pushed: int | None,
    cleared: int | None,
    by: ClearedBy | None,
    watched: int,
    verdict: Verdict,
) -> None:
    """On both sides of every boundary, one millisecond apart."""
    assert verdict_of(reading(subscribed, pushed, cleared, by, watched)) is verdict


def tell(world: World, user: str, told: Reading = REACHED) -> None:
    """Let a user pay, be broadcast to, and their browser tell of it."""
    name = world.pay(user=user)
    world.ack(name)
    world.report(name, user, told)


def counts(state: State) -> tuple[int, int]:
    """Return the good and the bad votes of this epoch."""
    stream = state.streams[REACH]
    return stream.good, stream.bad


def outcomes(state: State) -> dict[str, int]:
    """Return what became of all reports."""
    return {outcome.value: count for outcome, count in state.tally.reports.items()}


def test_a_report_counts_for_a_payment_of_its_own_user_once() -> None:
    """Whoever has a token may tell of their own payments, not of others'; nor twice of one."""
    world = on(0)
    name = world.pay(user="u1")
    world.report(name, "u2", REFUSED)
    assert counts(world.state) == (0, 0)
    world.report(name, "u1")
    assert counts(world.state) == (1, 0)
    world.append(world.records[-1].observation)
    assert counts(world.state) == (1, 0)
    assert sum(world.state.tally.reported.values()) == 1


def test_a_report_of_no_payment_is_nobodys_vote() -> None:
    """Beacons that name what Stripe never signed are counted when their sender is forgotten, and judged never."""
    world = on(0)
    for number in range(20):
        world.report(f"pi_invented_{number}", "u1", REFUSED)
    assert counts(world.state) == (0, 0)
    world.wait(3 * HOUR)
    assert outcomes(world.state) == {"unmatched": 20}
    assert not world.state.payers


def test_a_report_may_come_before_its_webhook() -> None:
    """Stripe delivers to us when it likes, and a page may be closed at once: order changes nothing."""
    world = on(0)
    world.report("pi_early", "u1")
    assert counts(world.state) == (0, 0)
    world.pay(name="pi_early", user="u1")
    assert counts(world.state) == (1, 0)


@pytest.mark.parametrize(("before_ms", "is_counted"), [(REPORTS_WITHIN_MS - 1, True), (REPORTS_WITHIN_MS, False)])
def test_a_report_long_before_its_webhook_is_late_too(before_ms: int, *, is_counted: bool) -> None:
    """Stripe delivers for three days; what a page told the day before yesterday is no vote of today."""
    world = World(msgspec.structs.replace(LAX, lease_ms=20 * MINUTE))
    world.wire()
    world.report("pi_early", "u1")
    world.sleep(before_ms)
    world.pay(name="pi_early", user="u1")
    assert counts(world.state) == (int(is_counted), 0)
    assert outcomes(world.state) == ({"good": 1} if is_counted else {"late": 1})


def test_reports_of_payments_that_never_come_make_room_for_one_that_does() -> None:
    """A user whose payments are none of ours pays one that is: the page was faster than Stripe, and its vote counts."""
    world = on(0)
    for number in range(8):
        world.report(f"pi_other_{number}", "u1")
    world.report("pi_early", "u1")
    world.pay(name="pi_early", user="u1")
    assert outcomes(world.state) == {"unmatched": 1, "good": 1}


@pytest.mark.parametrize(("after_ms", "is_counted"), [(REPORTS_WITHIN_MS - 1, True), (REPORTS_WITHIN_MS, False)])
def test_a_report_long_after_its_payment_is_late(after_ms: int, *, is_counted: bool) -> None:
    """A page that was frozen for a day says nothing about today."""
    world = World(msgspec.structs.replace(LAX, lease_ms=20 * MINUTE))
    world.wire()
    name = world.pay(user="u1")
    world.sleep(after_ms)
    world.report(name, "u1")
    assert counts(world.state) == (int(is_counted), 0)
    assert outcomes(world.state) == ({"good": 1} if is_counted else {"late": 1})


@pytest.mark.parametrize(("apart_ms", "votes"), [(VOTES_EVERY_MS - 1, 1), (VOTES_EVERY_MS, 2)])
def test_a_user_has_one_vote_per_hour(apart_ms: int, votes: int) -> None:
    """One parent with five children who pays five times is one payer."""
    world = World(msgspec.structs.replace(LAX, lease_ms=2 * HOUR))
    world.wire()
    for _ in range(2):
        tell(world, "u1")
        world.sleep(apart_ms)
    assert counts(world.state) == (votes, 0)


def test_what_was_not_seen_to_the_end_is_unmeasured() -> None:
    """A page that is closed, or a booking that is not paid, says nothing about push."""
    world = on(0)
    tell(world, "u1", reading(200, None, None, None, 900))
    tell(world, "u2", reading(200, None, None, None, 30_000))
    tell(world, "u3")
    assert (*counts(world.state), world.state.streams[REACH].unmeasured) == (1, 0, 2)
    assert outcomes(world.state) == {"gone": 1, "never_paid": 1, "good": 1}


def test_a_payment_that_names_no_user_has_no_report() -> None:
    """Without `stripe.user_key` nobody knows whose vote it is."""
    world = on(0)
    world.report(world.pay(user=None), "u1")
    assert counts(world.state) == (0, 0)


def test_requests_per_payment_and_what_cleared_the_alert_are_measured() -> None:
    """The seed's table, from the payers themselves; rescued is who was helped by a poll alone."""
    world = on(0)
    tell(world, "u1")
    tell(world, "u2", msgspec.structs.replace(REFUSED, refetches=3))
    tell(world, "u3", msgspec.structs.replace(REACHED, mode=Mode.PUSH_ONLY, stale_refetches=1))
    tell(world, "u4", msgspec.structs.replace(REACHED, mode=Mode.PUSH_WITH_SAFETY_NET, refetches=1000))
    tally = world.state.tally
    assert tally.reported == {"timer_polling": 2, "push_only": 1, "push_with_safety_net": 1}
    assert tally.refetches == {"timer_polling": 5, "push_only": 2, "push_with_safety_net": 20}
    assert tally.cleared == {
        "timer_polling/push": 1,
        "timer_polling/timer": 1,
        "push_only/push": 1,
        "push_with_safety_net/push": 1,
    }
    assert tally.subscriptions == {"confirmed": 3, "refused": 1}
    assert tally.reach == {"in_page/safari/good": 3, "in_page/safari/bad": 1}
    assert (tally.rescued, tally.stale_refetches) == (1, 1)


# --- leaving a push rung


def served(world: World, **keys: object) -> Reading:
    """Return a reading of a payer who was served what is held."""
    rung = world.state.rung
    assert rung is not None
    return msgspec.structs.replace(REACHED, mode=rung.mode, version=world.state.flag.version, **keys)


def test_only_payers_who_were_served_the_rung_count_on_it() -> None:
    """Those outside the share, of an older version, or of another mode say nothing about what this rung does."""
    world = on(1)
    tell(world, "u1", served(world))
    tell(world, "u2", msgspec.structs.replace(served(world), mode=Mode.TIMER_POLLING))
    tell(world, "u3", msgspec.structs.replace(served(world), version=0))
    tell(world, "u4", msgspec.structs.replace(served(world), version=10_000))
    tell(world, "u5", served(world, flow=Flow.REDIRECT))
    assert world.state.flag.payers == {"in_page": 1, "redirect": 1}


def test_a_climb_begins_to_count_payers_anew() -> None:
    """What 10 % were served proves nothing of 100 %."""
    world = on(1)
    world.change(payers_on_rung=1)
    tell(world, "u1", served(world))
    world.good(20)
    world.wait(1 * MINUTE)
    assert (world.state.flag.rung, world.state.flag.payers) == (2, {})


def test_a_rung_is_not_left_before_payers_were_served_it() -> None:
    """With browsers that report, proof of payments alone does not climb from one push rung to the next."""
    world = on(1)
    tell(world, "u1", served(world))
    world.good(40)
    world.wait(5 * MINUTE)
    assert (world.state.flag.rung, decide(world.state, "a").reason) == (1, "payers_on_rung")
    for number in range(49):
        tell(world, f"v{number}", served(world))
        world.wait(3 * SECOND)
    assert world.state.flag.rung == 2


def test_a_dry_run_is_not_stopped_by_payers_whom_it_serves_nothing() -> None:
    """A rehearsal decides everything; and its end begins on the bottom rung, so that nobody is spared being asked."""
    world = World(msgspec.structs.replace(LAX, dry_run=True))
    world.wire()
    for number in range(60):
        tell(world, f"u{number}")
        world.wait(3 * SECOND)
    assert (world.state.flag.rung, world.state.flag.payers) == (2, {})
    world.change(dry_run=False)
    assert world.state.flag.rung == 0
    world.wait(5 * MINUTE)
    assert (world.state.flag.rung, decide(world.state, "a").reason) == (1, "payers_on_rung")


def test_a_flow_that_becomes_common_closes_the_gate_for_a_climb_that_was_decided_before() -> None:
    """A climb names the guard version that it was based on, so that it is ignored."""
    world = on(1)
    world.change(payers_on_rung=1)
    world.decides = False
    tell(world, "u1", served(world))
    world.good(20)
    world.wait(1 * MINUTE)
    decision = decide(world.state, "b").decision
    assert isinstance(decision, Climbed)
    tell(world, "u2", served(world, flow=Flow.REDIRECT, cleared_ms=None, cleared_by=None, watched_ms=10))
    world.see(decision)
    assert world.state.flag.rung == 1


def test_a_bad_report_stops_a_climb_that_was_decided_before_it() -> None:
    """It may have closed a gate: whoever decided did not know of it."""
    world = probed(2)
    world.change(payers_on_rung=0)
    world.decides = False
    world.approve(3, world.state.streams["payments"].epoch)
    tell(world, "u8")
    world.good(5)
    world.wait(2 * MINUTE)
    name = world.pay(user="u9")
    world.ack(name)
    decision = decide(world.state, "b").decision
    assert isinstance(decision, Climbed)
    world.report(name, "u9", REFUSED)
    world.see(decision)
    assert world.state.flag.rung == 2


# --- what forged reports can do


@functools.cache
def _top() -> ProbedWorld:
    world = probed(2)
    world.change(payers_on_rung=0)
    world.prove()
    world.approve(3, world.state.streams["payments"].epoch)
    world.good(5)
    world.wait(2 * MINUTE)
    assert world.state.flag.rung == 3
    return world


def top() -> ProbedWorld:
    """Return a world that holds `push_only`, beside a healthy Reverb."""
    return copy.deepcopy(_top())


def accuse(world: World, user: str, times: int = 1) -> None:
    """Let a user's browser say that push did not reach it, once per payment."""
    for _ in range(times):
        tell(world, user, REFUSED)
        world.wait(1 * SECOND)


def test_bad_reports_of_four_users_change_nothing_however_many() -> None:
    """Four payers with a grudge, or with a browser extension that blocks WebSockets, stop nobody else's push."""
    world = top()
    for hour in range(30):
        for user in range(ACCUSERS_MIN - 1):
            accuse(world, f"forger{user}", 2)
        world.wait(1 * HOUR if hour % 10 == 0 else 1 * MINUTE)
    assert (world.state.flag.rung, world.mode()) == (3, Mode.PUSH_ONLY)


def test_bad_reports_of_five_users_cost_a_fall_and_no_more() -> None:
    """What reaches no payer must fall, whoever says so; and that is the worst that a lie can do."""
    world = top()
    for user in range(ACCUSERS_MIN - 1):
        accuse(world, f"u{user}")
    assert world.state.flag.rung == 3
    accuse(world, "the fifth")
    assert world.state.flag.rung == 0
    fell = next(record.observation for record in reversed(world.records) if isinstance(record.observation, Fell))
    assert (fell.cause, fell.detail) == (FallCause.ALARM, "alarm of reach")


def test_the_five_users_may_take_their_time() -> None:
    """At two payments a day an alarm that forgets within an hour never comes."""
    world = top()
    for user in range(ACCUSERS_MIN):
        accuse(world, f"u{user}")
        world.wait(3 * HOUR)
    assert world.state.flag.rung == 0


def test_a_user_who_accuses_again_is_one_voice_of_the_alarm() -> None:
    """Hour after hour, one user's votes are proof; but the alarm hears one voice."""
    world = top()
    accuse(world, "u1")
    stream = world.state.streams[REACH]
    levels, recent, bad = list(stream.levels), stream.recent, stream.bad
    world.wait(1 * HOUR)
    accuse(world, "u1")
    assert (stream.levels, stream.recent, stream.bad) == (levels, recent, bad + 1)


def test_accusers_are_forgotten_when_the_alarm_stands_at_zero() -> None:
    """Four voices of last month and one of today are not five."""
    world = top()
    for user in range(ACCUSERS_MIN - 1):
        accuse(world, f"u{user}")
    assert len(world.state.streams[REACH].accusers) == ACCUSERS_MIN - 1
    for number in range(600):
        tell(world, f"good{number}")
        world.wait(1 * SECOND)
    assert not world.state.streams[REACH].accusers
    accuse(world, "one more")
    assert (world.state.flag.rung, len(world.state.streams[REACH].accusers)) == (3, 1)


def test_a_policy_that_begins_the_alarm_anew_begins_its_accusers_anew() -> None:
    """Accusers without an alarm would count towards the next one's five, and themselves be heard no more."""
    world = top()
    for user in range(ACCUSERS_MIN - 1):
        accuse(world, f"u{user}")
    world.change(false_alarm_once_in=50_000)
    assert not world.state.streams[REACH].accusers
    for user in range(ACCUSERS_MIN - 1):
        accuse(world, f"v{user}")
    assert world.state.flag.rung == 3
    world.wait(1 * HOUR)
    accuse(world, "u0")
    assert world.state.flag.rung == 0


def test_good_reports_alone_never_earn_a_climb() -> None:
    """A thousand users' forged good news only lifts the veto that is theirs; payments must be proven all the same."""
    world = ProbedWorld()
    world.wire()
    world.wait(1 * MINUTE)
    for number in range(1000):
        world.report(world.pay(user=f"u{number}", waited_s=10), f"u{number}")
        if number % 50 == 0:
            world.wait(5 * SECOND)
    assert counts(world.state) == (1000, 0)
    assert world.state.flag.rung == 0
    gate = {gate.name: gate.holds for gate in gates(world.state)}
    assert gate["evidence_payments"] is False


def test_a_million_beacons_of_one_user_change_nothing_but_a_count() -> None:
    """Repeated, invented or of others: the state stays as small as it was, and nothing moves."""
    world = on(2)
    name = world.pay(user="u1")
    world.report(name, "u1", REFUSED)
    before = (world.state.flag.rung, counts(world.state), len(world.state.payers))
    for number in range(20_000):  # each costs as much as the millionth: there is nothing that grows
        world.report(f"pi_{number}_forged", "u1", REFUSED)
    assert (world.state.flag.rung, counts(world.state), len(world.state.payers)) == before
    assert len(world.state.payers["u1"].early) == 8
    assert world.state.tally.reports[ReportOutcome.UNMATCHED] == 20_000 - 8


def test_a_deploy_of_reverb_is_no_fall_by_its_payers_reports() -> None:
    """Browsers that could not connect for ten seconds say so half a minute later: the shelter's payers, not an alarm."""
    world = top()
    epoch = world.state.streams[REACH].epoch
    accuse(world, "before")
    world.fail()
    world.observe(is_up=False)
    names = []
    for number in range(12):
        names.append(world.pay(user=f"u{number}"))
        world.wait(1 * SECOND)
    world.mend()
    world.observe(is_up=True)
    for name in names:
        world.ack(name)
    world.wait(20 * SECOND)
    for number, name in enumerate(names):
        world.report(name, f"u{number}", REFUSED)
        world.wait(1 * SECOND)
    world.wait(15 * MINUTE)
    assert (world.state.flag.rung, world.mode()) == (3, Mode.PUSH_ONLY)
    assert world.state.streams[REACH].epoch == epoch
    assert world.state.streams[REACH].bad == 13
    assert set(world.state.streams[REACH].accusers) == {"before"}


def test_403_for_a_fifth_of_the_payers_keeps_push_only_away_and_says_why() -> None:
    """The observer signs for itself and the probe is one user: both are green while every fifth payer sees Pay now."""
    world = probed(2)
    world.state.streams[REACH].good = 0
    world.state.streams["user_auth"].good = 0
    world.approve(3, world.state.streams["payments"].epoch)
    for number in range(600):
        user, is_refused = f"u{number}", number % 5 == 0
        name = world.pay(user=user)
        world.authorise(user, UserAuth.REFUSED if is_refused else UserAuth.OK)
        world.ack(name)
        world.report(name, user, served(world) if not is_refused else msgspec.structs.replace(REFUSED))
        world.wait(2 * SECOND)
        if world.state.flag.rung < 2:
            break
    assert world.state.flag.rung < 3
    assert Mode.PUSH_ONLY not in {world.mode(f"user{number}") for number in range(50)}
    verdict = decide(world.state, "a")
    closed = {gate.name for gate in gates(world.state) if not gate.holds}
    assert verdict.action is not Action.CLIMB
    assert closed & {"alarm", "recent_reach", "evidence_reach"}


def test_the_whole_ladder_is_climbed_by_honest_evidence_and_nothing_less() -> None:
    """A day in the life: probes, 600 payers whose auth, broadcasts and browsers are well, and one approval."""
    world = ProbedWorld()
    world.wire()
    world.ask_as_a_stranger(StrangerVerdict.REFUSED)
    reached: dict[int, int] = {}
    for number in range(700):
        user = f"u{number}"
        world.authorise(user, UserAuth.OK)
        name, told = world.pay(user=user), served(world)
        world.ack(name)
        world.wait(90 * SECOND)
        world.report(name, user, told)
        reached.setdefault(world.state.flag.rung, number)
        if world.state.flag.rung == 2 and not world.state.flag.approval:
            world.approve(3, world.state.streams["payments"].epoch)
        if world.state.flag.rung == 3:
            break
    assert world.mode() is Mode.PUSH_ONLY
    assert sorted(reached) == [0, 1, 2, 3]
    assert all(stream.good > 0 and stream.bad == 0 for stream in world.state.streams.values())
    assert reached[2] - reached[1] >= 50, "payers on the rung"
    assert reached[3] - reached[2] >= 50
