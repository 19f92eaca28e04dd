"""Silence is not proof: which payments count in payer coverage, what answers are, and what too few of them do."""

import msgspec
import pytest

from sidecar.core.decision.gates import gates
from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.outcomes import NoPayer
from sidecar.core.facts.policy import Mode, Rung
from sidecar.core.facts.reports import Reading
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import payers
from sidecar.core.fold.checkpoint_payers import with_days
from sidecar.core.fold.state import State
from sidecar.core.statistics.coverage import SUSPEND_FROM, Coverage
from sidecar.core.statistics.indicators import REACH, USER_AUTH
from tests.core.probed import PROBED, ProbedWorld, probed
from tests.core.reporting import outcomes, reading, top
from tests.core.world import DAY, HOUR, MINUTE, REACHED, REFUSED, SECOND

GONE = reading(200, None, None, None, 10)
NEVER_PAID = reading(200, None, None, None, 30 * SECOND)


def patient() -> ProbedWorld:
    """Return a world that beats rarely, so that hours pass in a few steps."""
    return ProbedWorld(msgspec.structs.replace(PROBED, lease_ms=10 * MINUTE))


def pass_time(world: ProbedWorld, span_ms: int) -> None:
    """Make time pass, seen, in a few steps."""
    end_ms = world.now_ms + span_ms
    while world.now_ms < end_ms:
        world.now_ms = min(end_ms, world.now_ms + 5 * MINUTE)
        world.beat()


def shares(state: State) -> dict[str, tuple[int, int]]:
    """Return (answered, all) by indicator."""
    return {name: coverage.counts() for name, coverage in state.payer_coverage.items()}


def gate(state: State) -> tuple[bool, str]:
    """Return whether the gate passes, and its value."""
    return next((each.passes, each.value) for each in gates(state) if each.name == "payer_coverage")


@pytest.mark.parametrize("reported", [REACHED, REFUSED, GONE, NEVER_PAID])
def test_any_report_is_an_answer(reported: Reading) -> None:
    """Also that push failed, that the page was gone, or that the booking was never paid."""
    world = patient()
    world.report(world.pay(user="u1"), "u1", reported)
    world.pay(user="u2")
    pass_time(world, 10 * MINUTE)
    assert shares(world.state)[REACH] == (1, 2)


def test_repeated_reports_of_one_payment_are_one_answer() -> None:
    """Nor do reports of payments that never were, or of others, answer for anybody."""
    world = patient()
    name = world.pay(user="u1")
    world.pay(user="u2")
    for _ in range(5):
        world.report(name, "u1")
        world.append(world.records[-1].observation)
        world.report(name, "u2")
        world.report(f"pi_{world.now_ms}", "u2")
        world.now_ms += 1
    pass_time(world, 11 * MINUTE)
    assert shares(world.state)[REACH] == (1, 2)
    assert outcomes(world.state)["good"] == 1


def test_a_report_before_its_webhook_is_an_answer_and_one_after_ten_minutes_is_none() -> None:
    """Order changes nothing, and a page that was frozen for an hour answers nobody's question."""
    world = patient()
    world.report("pi_early", "u1")
    world.pay(name="pi_early", user="u1")
    late = world.pay(user="u2")
    pass_time(world, 10 * MINUTE)
    world.report(late, "u2")
    assert shares(world.state)[REACH] == (1, 2)
    assert outcomes(world.state) == {"good": 1, "late": 1}


# fmt: off
ANSWERS = [
    # the answer, from the payment on, result,         answered
    (-DAY,                             UserAuth.OK,      1),
    (-DAY - 1,                         UserAuth.OK,      0),
    (-HOUR,                            UserAuth.REFUSED, 1),
    (-HOUR - 1,                        UserAuth.REFUSED, 0),
    (payers.AFTER_MS - 1,              UserAuth.GUEST,   1),
    (payers.AFTER_MS,                  UserAuth.OK,      0),
]
# fmt: on


@pytest.mark.parametrize(("from_ms", "result", "answered"), ANSWERS)
def test_an_ok_within_a_day_counts_and_a_refusal_within_an_hour(from_ms: int, result: UserAuth, answered: int) -> None:
    """A page that has been open since this morning subscribed once; what was refused so long ago is no vote either."""
    world = patient()
    paid_ms = world.now_ms + 2 * DAY
    for at_ms, is_payment in sorted([(paid_ms, True), (paid_ms + from_ms, False)]):
        pass_time(world, at_ms - world.now_ms)
        if is_payment:
            world.pay(user="u1")
        else:
            world.authorise("u1", result)
    pass_time(world, paid_ms + 11 * MINUTE - world.now_ms)
    assert shares(world.state)[USER_AUTH] == (answered, 1)


def test_payers_who_are_refused_long_before_they_pay_do_not_look_known() -> None:
    """Every one of them was left behind on `push_only`: their refusals were no votes, and counted as answers."""
    world = top()
    world.change(reach_not_required="a native app", payer_coverage_ppm=600_000)
    for number in range(25):
        world.authorise(f"u{number}", UserAuth.GUEST)
    world.wait(61 * MINUTE)
    world.state.payer_coverage[USER_AUTH] = Coverage()
    for number in range(25):
        world.ack(world.pay(user=f"u{number}"))
    world.wait(11 * MINUTE)
    assert (world.state.flag.rung, world.state.suspension) == (3, SuspensionReason.PAYER_COVERAGE)


def test_payments_without_a_payer_or_a_user_and_late_webhooks_are_not_counted() -> None:
    """Whoever is asleep, unknown, or gone since hours says nothing, and is not silent."""
    world = patient()
    for reason in NoPayer:
        world.pay(user="u1", no_payer=reason)
    world.pay(user=None)
    world.pay(user="u2", waited_s=10)
    world.pay(user="u3", waited_s=None)
    world.pay(user="u4", waited_s=9)
    pass_time(world, 11 * MINUTE)
    assert shares(world.state) == {USER_AUTH: (0, 1), REACH: (0, 1)}


def test_the_window_is_a_day_or_the_last_two_hundred_payments() -> None:
    """At three payments a day, yesterday's twenty-four hours would be one payer's word."""
    world = patient()
    for number in range(250):
        name = world.pay(user=f"u{number}")
        if number >= 150:
            world.report(name, f"u{number}")
        world.sleep(9 * MINUTE)
        world.beat()
    pass_time(world, 2 * DAY)
    assert shares(world.state)[REACH] == (100, 200)


def test_another_meaning_of_an_outcome_begins_anew() -> None:
    """With another `stripe.user_key` other people are asked; those whose ten minutes run were not."""
    world = patient()
    world.report(world.pay(user="u1"), "u1")
    pass_time(world, 11 * MINUTE)
    world.pay(user="u2")
    world.change(contexts=("invoices",))
    pass_time(world, 11 * MINUTE)
    assert shares(world.state) == {USER_AUTH: (0, 0), REACH: (0, 0)}


def test_the_users_of_fold_version_6_are_read() -> None:
    """The last answer decides, payments on their way are decided but not counted, and whoever reported is a reporter."""
    content = {
        "now_ms": 5_000_000,
        "payers": {
            "u1": {"seen_ms": 4_900_000, "ok_ms": 4_000_000, "refused_ms": 4_800_000, "awaited": {"pi_1": 4_900_000}},
            "u2": {"seen_ms": 100, "ok_ms": 100, "awaited": {"pi_2": 100}},
        },
        "payer_agenda": [[5_500_000, "vote", "u1"]],
        "indicators": {"reach": {"good": 3, "reporters": {"u9": None}}},
    }
    state = msgspec.convert(with_days(content), State)
    assert (state.payers["u1"].answered_ms, state.payers["u1"].is_ok) == (4_800_000, False)
    assert (state.payers["u2"].answered_ms, state.payers["u2"].is_ok) == (100, True)
    assert {name: (paid.user_ref, paid.is_covered) for name, paid in state.paid.items()} == {"pi_1": ("u1", False)}
    assert state.payer_agenda == [(5_000_000, "payer", "u2"), (5_500_000, "decide", "pi_1"), (9_100_000, "payer", "u1")]
    assert (state.indicators[REACH].good, state.indicators[REACH].reporters) == (3, {"u9": 1})


# --- the gate


def test_a_silent_payer_stops_a_climb_that_was_decided_before() -> None:
    """The silence may have closed the gate: whoever decided did not know of it."""
    world = patient()
    world.pay(user="u1")
    pass_time(world, 5 * MINUTE)
    before = world.state.flag.guard_version
    pass_time(world, 5 * MINUTE)
    assert world.state.flag.guard_version == before + 2, "one in each indicator"


def test_push_only_waits_for_answers() -> None:
    """Nothing is known where an older journal ends: the gate is closed, and nothing is suspended."""
    world = fresh(probed(2))
    assert gate(world.state) == (False, "user_auth: 0 of 0, reach: 0 of 0")
    assert world.state.suspension is None
    for number in range(10):
        name = world.pay(user=f"u{number}")
        world.ack(name)
        if number < 6:
            world.authorise(f"u{number}", UserAuth.OK)
            world.report(name, f"u{number}")
        world.wait(3 * SECOND)
    world.wait(11 * MINUTE)
    assert gate(world.state) == (True, "user_auth: 6 of 10, reach: 6 of 10")
    world.pay(user="silent")
    world.wait(11 * MINUTE)
    assert gate(world.state) == (False, "user_auth: 6 of 11, reach: 6 of 11")


def test_a_waiver_of_reports_waives_their_coverage() -> None:
    """The backend's answers are asked for all the same."""
    world = probed(2)
    world.change(reach_not_required="an internal tool")
    world.wait(10 * SECOND)
    assert gate(world.state) == (True, "user_auth: 100 of 100")
    world.change(payer_coverage_ppm=0)
    assert "payer_coverage" not in {each.name for each in gates(world.state)}


# --- the suspension


def silent(world: ProbedWorld, count: int, *, answered: int = 0) -> None:
    """Make payers pay, of whom the first `answered` answer, and pass their ten minutes."""
    for number in range(count):
        user = f"silent{world.state.seq}"
        name = world.pay(user=user)
        world.ack(name)
        if number < answered:
            world.authorise(user, UserAuth.OK)
            world.report(name, user)
        world.wait(1 * SECOND)
    world.wait(11 * MINUTE)


def fresh(world: ProbedWorld) -> ProbedWorld:
    """Make nothing be known of the payers of a world, as after an older journal."""
    world.wait(11 * MINUTE)
    for coverage in world.state.payer_coverage.values():
        coverage.hours, coverage.last, coverage.judged, coverage.total = [], [], 0, 0
    return world


def fresh_top() -> ProbedWorld:
    """Return a world on `push_only` of whose payers nothing is known."""
    return fresh(top())


def suspension(world: ProbedWorld) -> SuspensionReason | None:
    """Return why push is suspended."""
    return world.state.suspension


def test_silence_on_push_only_suspends_and_keeps_the_rung() -> None:
    """From twenty payments on, below half of what the climb needed, until three quarters of it answer again."""
    world = fresh_top()
    silent(world, SUSPEND_FROM - 1)
    assert (suspension(world), world.mode()) == (None, Mode.PUSH_ONLY)
    silent(world, 1)
    assert suspension(world) is SuspensionReason.PAYER_COVERAGE
    assert (world.mode(), world.state.flag.rung) == (Mode.TIMER_POLLING, 3)
    silent(world, 13, answered=13)
    assert 0.30 < 13 / 33 < 0.45, "between the two limits"
    assert suspension(world) is SuspensionReason.PAYER_COVERAGE
    silent(world, 4, answered=4)
    assert 17 / 37 >= 0.45
    assert (suspension(world), world.mode(), world.state.flag.rung) == (None, Mode.PUSH_ONLY, 3)


@pytest.mark.parametrize(("answered", "is_suspended"), [(29, True), (30, False)])
def test_half_of_the_required_share_is_enough_to_go_on(answered: int, *, is_suspended: bool) -> None:
    """On both sides of the limit."""
    world = fresh_top()
    silent(world, 100, answered=answered)
    assert (suspension(world) is SuspensionReason.PAYER_COVERAGE) is is_suspended


def test_one_silent_indicator_suspends_unless_it_is_waived() -> None:
    """Browsers that report while the backend's answers have stopped, after a deploy that lost the middleware."""
    world = fresh_top()
    for number in range(SUSPEND_FROM):
        name = world.pay(user=f"u{number}")
        world.ack(name)
        world.report(name, f"u{number}")
        world.wait(1 * SECOND)
    world.wait(11 * MINUTE)
    assert suspension(world) is SuspensionReason.PAYER_COVERAGE
    other = fresh_top()
    other.change(reach_not_required="an internal tool")
    for number in range(SUSPEND_FROM):
        other.authorise(f"u{number}", UserAuth.OK)
        other.ack(other.pay(user=f"u{number}"))
        other.wait(1 * SECOND)
    other.wait(11 * MINUTE)
    assert (shares(other.state)[REACH], suspension(other)) == ((0, 20), None)


def test_below_push_only_silence_suspends_nothing() -> None:
    """With a safety net nobody depends on it."""
    world = probed(2)
    silent(world, 40)
    assert suspension(world) is None
    assert world.mode() is Mode.PUSH_WITH_SAFETY_NET


def test_a_ladder_without_push_only_ends_the_suspension() -> None:
    """Whoever takes the mode away takes its condition away."""
    world = fresh_top()
    silent(world, SUSPEND_FROM)
    assert suspension(world) is SuspensionReason.PAYER_COVERAGE
    assert world.state.policy is not None
    world.change(ladder=(*world.state.policy.ladder[:2], Rung(mode=Mode.PUSH_WITH_SAFETY_NET)))
    world.wait(10 * SECOND)
    assert (suspension(world), world.mode()) == (None, Mode.PUSH_WITH_SAFETY_NET)
