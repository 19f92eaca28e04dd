"""Overrides: one user gets the mode that an operator chose, and nothing of it is evidence."""

import msgspec
import pytest

from sidecar.core.facts.auth_probes import RoundTripOutcome, UserAuth
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import IgnoreReason
from sidecar.core.facts.operator_actions import Overridden, OverrideCleared
from sidecar.core.facts.outcomes import ReportOutcome
from sidecar.core.facts.policy import Mode
from sidecar.core.fold import overrides
from sidecar.core.fold.checkpoints import checkpoint_of, restored
from sidecar.core.fold.fold import next_deadline
from sidecar.core.fold.overrides import LASTS_MAX_MS, LEFT_OUT_MS, OVERRIDES_MAX
from sidecar.core.fold.serving import Reason, served
from sidecar.core.fold.state import encode
from sidecar.core.release.reconstruction import reconstruct
from sidecar.core.statistics.indicators import PAYMENTS
from tests.core.probed import ProbedWorld, probed
from tests.core.reporting import counts
from tests.core.world import DAY, HOUR, MINUTE, REFUSED, SECOND, World, on


def answer(world: World, user: str = "u1") -> tuple[Mode, Reason]:
    """Return what a user outside every share is served, and why."""
    found = served(world.state, 999_999, override=overrides.mode_of(world.state, user))
    return found.mode, found.reason


def test_a_user_is_served_the_chosen_mode_until_its_end() -> None:
    """On the bottom rung too, and nobody else."""
    world = on(0)
    world.override(lasts_ms=HOUR)
    assert answer(world) == (Mode.PUSH_ONLY, Reason.OVERRIDE)
    assert answer(world, "u2") == (Mode.TIMER_POLLING, Reason.BOTTOM_RUNG)
    assert (next_deadline(world.state) or 0) <= world.now_ms + HOUR
    world.wait(HOUR - 1)
    assert answer(world) == (Mode.PUSH_ONLY, Reason.OVERRIDE)
    world.wait(1)
    assert answer(world) == (Mode.TIMER_POLLING, Reason.BOTTOM_RUNG)


def test_timers_can_be_chosen_while_others_get_push() -> None:
    """A tester compares both."""
    world = on(2)
    world.override(mode=Mode.TIMER_POLLING)
    assert (answer(world), answer(world, "u2")) == (
        (Mode.TIMER_POLLING, Reason.OVERRIDE),
        (Mode.PUSH_WITH_SAFETY_NET, Reason.CURRENT_RUNG),
    )


def _dry_run(world: World) -> None:
    world.change(dry_run=True)


def _alarm(world: World) -> None:
    world.decides = False  # else it is a fall
    while not world.state.indicators[PAYMENTS].is_latched:
        world.bad()


def _fall(world: World) -> None:
    world.outage()
    while world.state.indicators[PAYMENTS].is_latched:
        world.good()
    assert world.now_ms < world.state.flag.cooldown_until_ms


def _suspend(world: World) -> None:
    assert isinstance(world, ProbedWorld)
    world.round_trip = RoundTripOutcome.LOST
    world.wait(MINUTE)


def _roll_back(world: World) -> None:
    world.roll_back()


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (_dry_run, Reason.DRY_RUN),
        (_alarm, Reason.ALARM),
        (_fall, Reason.BOTTOM_RUNG),
        (_suspend, Reason.SUSPENDED),
        (_roll_back, Reason.BOTTOM_RUNG),
    ],
    ids=["dry run", "alarm", "fall", "suspension", "rollback"],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_what_stops_push_for_everybody_stops_an_override(stop: object, reason: Reason, *, is_first: bool) -> None:
    """Whichever came first."""
    assert callable(stop)
    world = probed(1) if stop is _suspend else on(2)
    if is_first:
        world.override("tester")
    stop(world)
    if not is_first:
        world.override("tester")
    assert answer(world, "tester") == (Mode.TIMER_POLLING, reason)


def test_an_override_returns_when_the_rollback_is_lifted() -> None:
    """The test goes on, if its time is not over."""
    world = on(1)
    world.override()
    world.roll_back()
    world.resume(world.state.flag.holds[0].id)
    assert answer(world) == (Mode.PUSH_ONLY, Reason.OVERRIDE)


def test_nothing_that_the_user_pays_is_evidence() -> None:
    """Neither good nor bad, neither judged nor missing: two lives differ in what is ignored alone."""
    world, same = probed(1), probed(1)
    for each in (world, same):
        each.override("tester")
    for number in range(30):
        name = world.pay(user="tester")
        world.authorise("tester", UserAuth.GUEST)
        if number % 2:
            world.ack(name)
        world.report(name, "tester", REFUSED)
        for each in (world, same):
            each.wait(MINUTE)
    for each in (world, same):
        each.wait(HOUR)
    for name in world.state.indicators:
        evidence = [each.state.indicators[name] for each in (world, same)]
        assert [(each.good, each.bad, each.unmeasured, each.is_latched) for each in evidence[:1]] == [
            (each.good, each.bad, each.unmeasured, each.is_latched) for each in evidence[1:]
        ], name
        assert counts(world.state, name) == counts(same.state, name)
    assert world.state.coverage.counts() == same.state.coverage.counts()
    assert [each.counts() for each in world.state.payer_coverage.values()] == [
        each.counts() for each in same.state.payer_coverage.values()
    ]
    assert (world.state.flag.payers, world.state.tally.outcomes) == (same.state.flag.payers, same.state.tally.outcomes)
    assert world.state.tally.ignored == {IgnoreReason.OVERRIDE: 30}
    assert world.state.tally.reports[ReportOutcome.OVERRIDE] == 30
    assert (world.state.tally.contradicted, world.state.tally.unaccounted, world.state.waiting_acks) == (0, 0, 0)


def test_a_payment_that_is_forgotten_is_still_known_as_left_out() -> None:
    """Its minutes are folded again, and the override began hours before them."""
    world = on(1)
    world.override("tester", lasts_ms=5 * HOUR)
    actions = world.records[-1:]
    world.wait(4 * HOUR)
    name = world.pay(user="tester")
    world.wait(MINUTE)
    around = [each for each in world.records if each.at_ms >= world.now_ms - 2 * MINUTE]
    policy = world.state.policy
    assert policy is not None
    assert reconstruct(world.state, policy, around, name, actions).left_out == IgnoreReason.OVERRIDE
    assert reconstruct(world.state, policy, around, name).left_out is None


def test_an_ack_or_a_report_before_the_webhook_is_no_evidence_either() -> None:
    """The broadcast and the browser are often faster than Stripe."""
    world = probed(1)
    world.override("tester")
    before = world.state.tally.outcomes.copy(), world.state.waiting_acks
    world.ack("pi_early")
    world.report("pi_early", "tester", REFUSED)
    world.wait(SECOND)
    world.pay(user="tester", name="pi_early")
    world.wait(HOUR)
    assert (world.state.tally.outcomes, world.state.waiting_acks) == before
    assert world.state.tally.unaccounted == 0


def test_the_report_of_a_payment_before_the_override_is_dropped() -> None:
    """The browser may have followed the chosen mode when it measured."""
    world = probed(1)
    name = world.pay(user="tester")
    world.ack(name)
    world.override("tester")
    votes = counts(world.state)
    world.report(name, "tester", REFUSED)
    world.wait(HOUR)
    assert counts(world.state) == votes


@pytest.mark.parametrize("is_cleared", [True, False], ids=["cleared", "expired"])
def test_a_browser_may_keep_the_answer_a_little_longer(*, is_cleared: bool) -> None:
    """Ten minutes after the end the user is one like all others."""
    world = on(1)
    override = world.override(lasts_ms=MINUTE)
    if is_cleared:
        world.see(OverrideCleared(actor="ann", reason="done", override=override))
    else:
        world.wait(MINUTE)
    assert overrides.standing(world.state) == ()
    judged = world.state.coverage.counts()
    world.good()
    world.wait(LEFT_OUT_MS - 3 * SECOND - 1)
    assert overrides.is_left_out(world.state, "u1")
    assert world.state.coverage.counts() == judged
    world.wait(1)
    assert world.state.flag.overrides == []
    world.good(5)
    assert world.state.coverage.counts()[1] == judged[1] + 5


def test_another_override_takes_the_place_of_that_of_the_same_user() -> None:
    """One user has one mode; the end of the old one does not end the new one."""
    world = on(1)
    old = world.override(mode=Mode.TIMER_POLLING)
    new = world.override(mode=Mode.PUSH_ONLY)
    world.see(OverrideCleared(actor="ann", reason="done", override=old))
    assert [(each.id, each.mode) for each in overrides.standing(world.state)] == [(new, Mode.PUSH_ONLY)]


def test_number_and_duration_are_limited() -> None:
    """A forgotten override ends within a day, and nobody overrides the whole shop."""
    world = on(1)
    for number in range(OVERRIDES_MAX + 5):
        world.override(f"u{number}", lasts_ms=30 * DAY)
    standing = overrides.standing(world.state)
    assert [each.user_ref for each in standing] == [f"u{number}" for number in range(OVERRIDES_MAX)]
    assert {each.expires_ms for each in standing} == {world.now_ms + LASTS_MAX_MS}
    assert not overrides.can_add(world.state, "one more")
    assert overrides.can_add(world.state, "u3")
    world.wait(LASTS_MAX_MS + LEFT_OUT_MS)
    assert world.state.flag.overrides == []


def test_an_override_is_on_the_record_and_in_a_checkpoint() -> None:
    """As a hold is: chained, in the history, and kept by a restart. Of two that clear it, the first counts."""
    world = on(1)
    chain = world.state.chain
    world.override()
    assert world.state.chain != chain
    assert "override of u1 by ann, push_only: a test" in world.state.history.events[-1].detail
    body = encode(restored(checkpoint_of(world.state, "a")))
    assert body == encode(world.state)
    first, second = (OverrideCleared(actor=actor, reason="x", override=7) for actor in ("ann", "bob"))
    assert identity(first) == identity(second)


def test_a_state_from_before_overrides_is_read() -> None:
    """An older version wrote no such field."""
    content = msgspec.json.decode(encode(on(1).state))
    del content["flag"]["overrides"]
    assert msgspec.convert(content, type(on(1).state), strict=False).flag.overrides == []


def test_a_record_without_a_duration_does_nothing() -> None:
    """The API refuses it before."""
    world = on(1)
    world.see(Overridden(actor="ann", reason="x", user_ref="u1", mode=Mode.PUSH_ONLY, expires_ms=world.now_ms))
    assert world.state.flag.overrides == []
