"""Whose vote a report is, what is measured by it, and when a push rung may be left."""

import msgspec
import pytest

from sidecar.core.decision.decide import decide
from sidecar.core.facts.observations import Climbed
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import Flow
from sidecar.core.fold.reach import REPORTS_WITHIN_MS, payers_on_rung
from sidecar.core.statistics.indicators import REACH
from tests.core.probed import probed
from tests.core.reporting import counts, outcomes, reading, served, tell
from tests.core.world import DAY, HOUR, LAX, MINUTE, REACHED, REFUSED, SECOND, World, on


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
    world.wait(25 * HOUR)
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
    """Stripe delivers for three days; what a page reported the day before yesterday is no vote of today."""
    world = World(msgspec.structs.replace(LAX, lease_ms=20 * MINUTE))
    world.wire()
    world.report("pi_early", "u1")
    world.sleep(before_ms)
    world.pay(name="pi_early", user="u1")
    assert counts(world.state) == (int(is_counted), 0)
    assert outcomes(world.state) == ({"good": 1} if is_counted else {"late": 1})


def test_reports_of_payments_that_never_come_free_space_for_one_that_does() -> None:
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


@pytest.mark.parametrize(("apart_ms", "votes"), [(DAY - 1, 1), (DAY, 2)])
def test_a_user_has_one_vote_per_day(apart_ms: int, votes: int) -> None:
    """One parent with five children who pays five times is one payer."""
    world = World(msgspec.structs.replace(LAX, lease_ms=2 * DAY))
    world.wire()
    for _ in range(2):
        tell(world, "u1")
        world.sleep(apart_ms)
    assert counts(world.state) == (votes, 0)
    assert outcomes(world.state) == ({"good": 2} if votes > 1 else {"good": 1, "repeated": 1})


def test_what_was_not_seen_to_the_end_is_unmeasured() -> None:
    """A page that is closed, or a booking that is not paid, says nothing about push."""
    world = on(0)
    tell(world, "u1", reading(200, None, None, None, 900))
    tell(world, "u2", reading(200, None, None, None, 30_000))
    tell(world, "u3")
    assert (*counts(world.state), world.state.indicators[REACH].unmeasured) == (1, 0, 2)
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


def test_both_flows_together_suffice_unless_one_is_rare() -> None:
    """Two equal flows need no more payers than one; and what a rare flow did on the rung is known when it is common."""
    world = on(1)
    world.change(payers_on_rung=4)
    for number in range(39):
        tell(world, f"timers{number}")
    tell(world, "u1", served(world, flow=Flow.REDIRECT))
    assert payers_on_rung(world.state) == 0, "one report of forty is rare"
    tell(world, "u2", served(world, flow=Flow.REDIRECT))
    tell(world, "u3", served(world, flow=Flow.REDIRECT))
    tell(world, "u4", served(world))
    assert payers_on_rung(world.state) == 4
    world.good(20)
    world.wait(1 * MINUTE)
    assert world.state.flag.rung == 2


def test_a_flow_that_becomes_rare_closes_the_gate_for_a_climb_that_was_decided_before() -> None:
    """A climb names the guard version that it was based on, so that it is ignored."""
    world = on(1)
    world.change(payers_on_rung=1)
    world.decides = False
    for number in range(18):
        tell(world, f"timers{number}")
    tell(world, "u1", served(world, flow=Flow.REDIRECT))
    world.good(20)
    world.wait(1 * MINUTE)
    decision = decide(world.state, "b").decision
    assert isinstance(decision, Climbed)
    for number in range(2):
        tell(world, f"gone{number}", reading(200, None, None, None, 10))
    world.see(decision)
    assert world.state.flag.rung == 1


def test_a_payer_counts_on_a_rung_once_a_day() -> None:
    """One robot is not the fifty payers who were served; and a vote of this morning, on another rung, is no obstacle."""
    world = World(LAX)
    world.wire()
    tell(world, "u1")
    world.climb_to(1)
    for _ in range(10):
        tell(world, "u1", served(world))
        world.wait(1 * SECOND)
    assert world.state.flag.payers == {"in_page": 1}
    assert outcomes(world.state) == {"good": 1, "repeated": 10}


def test_a_bad_report_stops_a_climb_that_was_decided_before_it() -> None:
    """It may have closed a gate: whoever decided did not know of it."""
    world = probed(2)
    world.change(payers_on_rung=0)
    world.decides = False
    world.approve(3, world.state.indicators["payments"].epoch)
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
